// Answers the rows of a table: node client.mjs model.onnx OUTPUT rows.tsv [needs onnxruntime-node]
import { readFileSync } from "node:fs";
import { InferenceSession, Tensor } from "onnxruntime-node";

const [model, output, table] = process.argv.slice(2);
const session = await InferenceSession.create(model);
const rows = readFileSync(table, "utf8").split("\n").slice(1, -1).map((line) => line.split("\t"));
const feeds = {};
let first = 0;
for (const { name, type, shape } of session.inputMetadata) {
  const last = first + shape[1]; // each takes its columns from the left
  const cells = rows.flatMap((row) => row.slice(first, last));
  feeds[name] = new Tensor(type, type === "string" ? cells : Float64Array.from(cells, Number), [rows.length, shape[1]]);
  first = last;
}
const answers = Array.from((await session.run(feeds))[output].data); // of all: a choice is named wrongly in 1.23
const width = answers.length / rows.length;
rows.forEach((_, row) => console.log(answers.slice(row * width, (row + 1) * width).join("\t")));
