// Loads a page: sends the requests of a wave together, and checks the answers.
import { readFileSync } from "node:fs";

export const [, , setting, traceFile, caFile] = process.argv;
export const ca = readFileSync(caFile);

export async function load(get) {
  const trace = JSON.parse(readFileSync(traceFile));
  const report = { milliseconds: 0, right: 0, wrong: 0, failed: 0 };
  const start = performance.now();
  for (const wave of trace.waves) {
    await Promise.all(
      wave.map(async ({ host, path, bytes }) => {
        try {
          const answer = await get(`https://${host}${path}`);
          const isRight =
            answer.status === 200 && answer.servedBy === host && answer.bytes === bytes;
          report[isRight ? "right" : "wrong"] += 1;
        } catch (error) {
          console.error(`${host}${path}: ${error}`);
          report.failed += 1;
        }
      }),
    );
  }
  report.milliseconds = performance.now() - start;
  console.log(JSON.stringify(report));
  process.exit(0);
}
