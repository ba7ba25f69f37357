import { Agent, request } from "undici";
import { ca, load, setting } from "./load.mjs";

const best = { allowH2: true, connections: 1, pipelining: 100, maxConcurrentStreams: 100 };
const dispatcher = new Agent({ connect: { ca }, ...(setting === "best" ? best : {}) });

await load(async (url) => {
  const { statusCode, headers, body } = await request(url, { dispatcher });
  const content = await body.arrayBuffer();
  return { status: statusCode, servedBy: headers["served-by"], bytes: content.byteLength };
});
