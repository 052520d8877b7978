/** The values typed into the form of an endpoint's signature, and the instance that they mean. */
import type { TranslationBundle } from '@jupyterlab/translation';

import { exact, exactly } from './exact';
import type { FormField } from './generated';
import { parseNumber } from './numbers';

/** By the field's name: the value of its control. */
export type Texts = Readonly<Record<string, string>>;

export interface FormInstance {
  readonly instance: Readonly<Record<string, unknown>>;
  /** By the field's name: its problem. */
  readonly problems: Readonly<Record<string, string>>;
}

/** The controls' texts for the example's values. */
export function textsOf(fields: readonly FormField[]): Texts {
  return Object.fromEntries(fields.map(field => [field.name, textOf(field)]));
}

function textOf(field: FormField): string {
  const value: unknown = field.value;
  if (value === null || value === undefined) return field.kind === 'boolean' ? 'false' : '';
  if (field.kind === 'choice' || field.kind === 'json') return exact.stringify(value);
  return typeof value === 'string' ? value : exact.stringify(value);
}

/** The instance and the problems. An optional field that is empty is left out. */
export function instanceOf(
  fields: readonly FormField[],
  texts: Texts,
  trans: TranslationBundle
): FormInstance {
  const instance: Record<string, unknown> = {};
  const problems: Record<string, string> = {};
  for (const field of fields) {
    const text = texts[field.name] ?? '';
    if (text.trim() === '' && (field.kind !== 'text' || field.nullable)) {
      if (field.nullable) {
        instance[field.name] = null;
        continue;
      }
      if (field.required) problems[field.name] = trans.__('a value is required');
      continue;
    }
    if (text === '' && !field.required) continue;
    try {
      instance[field.name] = valueOf(field, text, trans);
    } catch (error) {
      problems[field.name] = error instanceof Error ? error.message : String(error);
    }
  }
  return { instance, problems };
}

function valueOf(field: FormField, text: string, trans: TranslationBundle): unknown {
  switch (field.kind) {
    case 'text':
      return text;
    case 'boolean':
      return text === 'true';
    case 'choice':
    case 'json':
      return exact.parse(text);
    case 'number':
    case 'integer':
      return numberOf(field, text, trans);
  }
}

/** Integers are sent with all their digits, which JavaScript would round beyond 2^53. */
function numberOf(field: FormField, text: string, trans: TranslationBundle): unknown {
  const limit = (bound: unknown): number | null =>
    bound === null || bound === undefined ? null : Number(exact.stringify(bound));
  const [minimum, maximum] = [limit(field.minimum), limit(field.maximum)];
  const value = parseNumber(text, { integer: field.kind === 'integer', minimum, maximum }, trans);
  return /^\s*[+-]?\d+\s*$/.test(text) ? exactly(String(BigInt(text.replace('+', '')))) : value;
}
