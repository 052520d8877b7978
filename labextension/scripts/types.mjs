// Definitions of JSON Schema on stdin, TypeScript on stdout: called by scripts/typescript.py of the project.
import { readFileSync } from 'node:fs';

import { compile } from 'json-schema-to-typescript';

const definitions = JSON.parse(readFileSync(0, 'utf8'));
const root = {
  title: 'Everything',
  type: 'object',
  properties: {},
  additionalProperties: false,
  $defs: {}
};
for (const [name, definition] of Object.entries(definitions)) {
  root.$defs[name] = definition;
  root.properties[name] = { $ref: `#/$defs/${name}` };
}
root.required = Object.keys(definitions);
const made = await compile(root, 'Everything', {
  additionalProperties: false,
  bannerComment: '',
  ignoreMinAndMaxItems: true,
  style: { singleQuote: true, trailingComma: 'none', printWidth: 100 }
});
// The root only names the definitions.
process.stdout.write(made.replace(/export interface Everything \{[^]*?\n\}\n/, ''));
