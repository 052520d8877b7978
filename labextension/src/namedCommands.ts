/** The commands of the command line that a message names, as verbs with the texts of their forms. */
import { type Verb, VERBS } from './generated';
import { labelOf, type Texts, type VerbField } from './verbFields';

/** `'nbdeploy traffic churn --record full'` in a message. */
export interface NamedCommand {
  readonly verb: Verb;
  /** Its words after the verb. */
  readonly words: readonly string[];
  readonly text: string;
}

/** Verbs that only show something, by a name alone: a host opens their view. */
export const SHOWN: readonly Verb[] = [
  'list',
  'describe',
  'history',
  'compare',
  'drift',
  'logs',
  'predict'
];

const QUOTED = /'nbdeploy ([a-z]+)((?: [^']*)?)'/g;

/** A word that stands for a value: `NAME`, `TAG=20`, `…`. */
const PLACEHOLDER = /^([A-Z]{3,}|[A-Z]{3,}=.*|…)$/;

/** The commands in a text, each once, in their order. */
export function commandsIn(text: string): NamedCommand[] {
  const found = new Map<string, NamedCommand>();
  for (const [, verb = '', rest = ''] of text.matchAll(QUOTED)) {
    // A deploy begins with a model: its dialog has no form of words.
    if (Object.hasOwn(VERBS, verb) && verb !== 'deploy') {
      const words = rest.split(' ').filter(Boolean);
      const one = { verb: verb as Verb, words, text: `nbdeploy ${verb}${rest}` };
      found.set(one.text, one);
    }
  }
  return [...found.values()];
}

/** The words of a command as texts of its verb's form; unknown options and placeholders stay out. */
export function textsOfWords(words: readonly string[], fields: readonly VerbField[]): Texts {
  const positional = fields.filter(field => field.positional);
  const texts: Record<string, string> = {};
  let place = 0;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (word.startsWith('--')) {
      const name = word.slice(2).replaceAll('-', '_');
      const field = fields.find(one => one.name === name);
      const value = words[at + 1];
      const takesValue = value !== undefined && !value.startsWith('--');
      if (field?.kind === 'boolean') texts[name] = 'true';
      else if (takesValue) {
        if (field && !PLACEHOLDER.test(value)) {
          texts[name] = [texts[name], value].filter(Boolean).join('\n');
        }
        at += 1;
      }
    } else {
      const field = positional[place];
      place += 1;
      if (field && !PLACEHOLDER.test(word)) texts[field.name] = word;
    }
  }
  return texts;
}

/** A quoted command, which a button runs, or an option outside of one. */
const COMMAND_OR_OPTION = /'nbdeploy [^']*'|(?<![\w-])--([a-z][a-z-]+)/g;

/** A message of the core for a user of forms: an option has the label of its field. */
export function inForms(text: string): string {
  return text.replace(COMMAND_OR_OPTION, (found: string, option?: string) =>
    option === undefined ? found : `“${labelOf(option.replaceAll('-', '_'))}”`
  );
}
