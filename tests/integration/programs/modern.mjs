// modern.mjs - what a server or a client in JavaScript does, for node, bun and deno.
//
//   modern.mjs serve PORT             an HTTP server that tells how much of a processor it took while nobody asked
//   modern.mjs cluster PORT           the same in four processes
//   modern.mjs fetch URL SECOND-URL   the hash of the first; that of the second by four worker threads at once
import cluster from "node:cluster";
import crypto from "node:crypto";
import http from "node:http";
import process from "node:process";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";

async function hash(url) {
    const answer = await fetch(url), sum = crypto.createHash("sha256");
    for await (const piece of answer.body)
        sum.update(piece);
    return sum.digest("hex");
}

function serve(port) {
    http.createServer((request, response) => {
        if (request.url === "/idle") {
            const before = process.cpuUsage(), began = process.hrtime.bigint();
            setTimeout(() => {
                const used = process.cpuUsage(before), passed = Number(process.hrtime.bigint() - began) / 1000;
                response.end(`${Math.round((used.user + used.system) / passed * 100)}\n`);
            }, 2000);
            return;
        }
        const sum = crypto.createHash("sha256");
        request.on("data", piece => sum.update(piece));
        request.on("end", () => response.end(`${process.pid} ${sum.digest("hex")}\n`));
    }).listen(port, () => console.log("listens"));
}

const [what, ...rest] = process.argv.slice(2);
if (!isMainThread)
    hash(workerData).then(sum => parentPort.postMessage(sum));
else if (what === "serve" || !cluster.isPrimary)
    serve(Number(rest[0]));
else if (what === "cluster")
    for (let i = 0; i < 4; i++)
        cluster.fork();
else {
    console.log(await hash(rest[0]));
    const workers = [1, 2, 3, 4].map(() => new Promise((done, fail) => {
        const worker = new Worker(new URL(import.meta.url), { workerData: rest[1] });
        worker.on("message", sum => { worker.terminate(); done(sum); });
        worker.on("error", fail);
    }));
    for (const sum of await Promise.all(workers))
        console.log(sum);
    process.exit(0);
}
