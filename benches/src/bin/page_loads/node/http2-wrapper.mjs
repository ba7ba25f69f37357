import http2 from "http2-wrapper";
import { ca, load, setting } from "./load.mjs";

const open = setting === "best" ? async (...all) => http2.request(...all) : http2.auto;

await load(async (url) => {
  const request = await open(url, { ca });
  return new Promise((resolve, reject) => {
    request.once("error", reject);
    request.once("response", (response) => {
      let bytes = 0;
      response.on("data", (chunk) => (bytes += chunk.length));
      response.once("error", reject);
      response.once("end", () =>
        resolve({ status: response.statusCode, servedBy: response.headers["served-by"], bytes }),
      );
    });
    request.end();
  });
});
