// A least client of Lambda's runtime API, because AWS's own for Node.js cannot be had apart from Lambda. It is
// smaller than AWS's, which favours Node.js in what is measured.

const http = require("node:http");

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, agent, method, path: `/2018-06-01/runtime/${path}` }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ headers: response.headers, text: Buffer.concat(parts).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function main() {
  const { handler, warmed } = require(process.argv[2]);
  await warmed;
  for (;;) {
    const next = await call("GET", "invocation/next");
    const id = next.headers["lambda-runtime-aws-request-id"];
    const deadline = Number(next.headers["lambda-runtime-deadline-ms"]);
    const context = { awsRequestId: id, getRemainingTimeInMillis: () => deadline - Date.now() };
    try {
      const answer = await handler(JSON.parse(next.text), context);
      await call("POST", `invocation/${id}/response`, JSON.stringify(answer));
    } catch (error) {
      await call("POST", `invocation/${id}/error`, JSON.stringify({ errorMessage: `${error.stack}` }));
    }
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
