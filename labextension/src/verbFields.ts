/**
 * The form of a verb, made from its request's JSON Schema; and the request from the typed values.
 */

import type { TranslationBundle } from '@jupyterlab/translation';

import { parseNumber } from './numbers';

/** A schema as pydantic writes it. */
export interface Schema {
  type?: string;
  enum?: string[];
  anyOf?: Schema[];
  items?: Schema;
  additionalProperties?: boolean | Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  default?: unknown;
  description?: string;
  minimum?: number;
  maximum?: number;
  positional?: boolean;
  important?: boolean;
  /** The form itself asks for confirmation, by its button. */
  confirmation?: boolean;
}

/**
 * `lines`: one text per line. `shares`: one TAG=PERCENT per line. `json`: any value, or the name of
 * a file.
 */
export type Kind =
  'text' | 'number' | 'integer' | 'boolean' | 'choice' | 'lines' | 'shares' | 'json';

export interface VerbField {
  readonly name: string;
  readonly label: string;
  readonly kind: Kind;
  readonly help: string;
  readonly choices: readonly string[];
  readonly required: boolean;
  /** Other fields are shown on demand. */
  readonly important: boolean;
  /** Its value needs no name on the command line. */
  readonly positional: boolean;
  /** It has no control: sending the form confirms it. */
  readonly confirmation: boolean;
  /** The control's initial value; it is sent only if the user changes it. */
  readonly text: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

export type Texts = Readonly<Record<string, string>>;

export interface FormResult {
  readonly request: Readonly<Record<string, unknown>>;
  /** By the field's name. */
  readonly problems: Readonly<Record<string, string>>;
}

/** The revision goes by If-Match, and a verb that follows has no end. */
const NO_CONTROL: readonly string[] = ['if_revision', 'follow'];

export function fieldsOf(schema: Schema): VerbField[] {
  const required = schema.required ?? [];
  return Object.entries(schema.properties ?? {})
    .filter(([name]) => !NO_CONTROL.includes(name))
    .map(([name, schema]) => fieldOf(name, schema, required.includes(name)));
}

function fieldOf(name: string, schema: Schema, required: boolean): VerbField {
  const options = schema.anyOf ?? [schema];
  const nullable = options.some(option => option.type === 'null');
  const shape = options.filter(option => option.type !== 'null');
  const kind = kindOf(shape);
  const choices = shape.flatMap(option => option.enum ?? []);
  const [first] = shape;
  const limits = {
    ...(first?.minimum !== undefined && { minimum: first.minimum }),
    ...(first?.maximum !== undefined && { maximum: first.maximum })
  };
  return {
    name,
    label: labelOf(name),
    kind,
    help: schema.description ?? '',
    choices: nullable && choices.length > 0 ? ['', ...choices] : choices,
    required,
    important:
      schema.important ??
      (required || schema.positional === true || name === 'reason' || kind === 'shares'),
    positional: schema.positional === true,
    confirmation: schema.confirmation === true,
    text: textOf(kind, schema.default),
    ...limits
  };
}

function kindOf(shape: readonly Schema[]): Kind {
  const types = shape.map(option => option.type);
  const [first] = shape;
  if (first?.enum !== undefined) {
    return 'choice';
  }
  if (types.includes('array')) {
    return 'lines';
  }
  switch (first?.type) {
    case 'boolean':
    case 'integer':
    case 'number':
      return first.type;
    case 'object':
      return 'shares';
    case 'string':
      return 'text';
    default:
      return 'json';
  }
}

/** Names that are no words for a reader of the form. */
const LABELS: Readonly<Record<string, string>> = {
  a: 'Model before',
  b: 'Model after',
  at_boot: 'At each boot',
  cwd: 'Working folder',
  deploy: 'Endpoint to deploy to',
  executed: 'Folder of the executed notebooks',
  github: 'In a GitHub workflow',
  html: 'Folder of the HTML report',
  junit: 'JUnit file',
  n: 'Notebooks at once',
  nullable: 'Columns that accept null',
  output_dir: 'Folder',
  parameters_file: 'File of parameters',
  parameters_yaml: 'Parameters in YAML',
  push_to: 'Image of the gateway',
  record_sample: 'Share of recorded requests',
  request_id: 'Request ids',
  sign: 'Key to sign with',
  training: 'Training table',
  validate: 'Validation',
  without_ci: 'Without CI',
  base: 'Base image',
  yes: 'Confirmed'
};

/** The label of a field in forms. */
export function labelOf(name: string): string {
  const known = LABELS[name];
  if (known !== undefined) return known;
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function textOf(kind: Kind, value: unknown): string {
  if (kind === 'boolean') {
    return String(value === true);
  }
  if (kind === 'lines') {
    return Array.isArray(value) ? value.join('\n') : '';
  }
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/**
 * A former request, to send it again: the texts of the controls that can hold its values, and the
 * other values, which are kept as they are. `force` and its reason are confirmed anew.
 */
export function again(request: Readonly<Record<string, unknown>>): {
  texts: Texts;
  kept: Readonly<Record<string, unknown>>;
} {
  const texts: Record<string, string> = {};
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(request)) {
    if (name === 'force' || (name === 'reason' && request.force === true)) continue;
    if (NO_CONTROL.includes(name)) continue;
    if (['string', 'number', 'boolean'].includes(typeof value)) texts[name] = String(value);
    else if (isTexts(value)) texts[name] = value.join('\n');
    else if (value !== null && value !== undefined) kept[name] = value;
  }
  return { texts, kept };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(one => typeof one === 'string');
}

/**
 * Less important fields that keep their initial value are left out: the defaults are the server's.
 */
export function readForm(
  fields: readonly VerbField[],
  texts: Texts,
  trans: TranslationBundle
): FormResult {
  const request: Record<string, unknown> = {};
  const problems: Record<string, string> = {};
  for (const field of fields) {
    if (field.confirmation) {
      request[field.name] = true;
      continue;
    }
    const text = texts[field.name] ?? field.text;
    const isEmpty = text.trim() === '';
    if (field.required && isEmpty) {
      problems[field.name] = trans.__('a value is required');
    }
    const isDefault = text === field.text && !field.important;
    if (isDefault || (isEmpty && field.kind !== 'lines')) {
      continue;
    }
    try {
      request[field.name] = valueOf(field, text, trans);
    } catch (error) {
      problems[field.name] = error instanceof Error ? error.message : String(error);
    }
  }
  return { request, problems };
}

function valueOf(field: VerbField, text: string, trans: TranslationBundle): unknown {
  switch (field.kind) {
    case 'text':
    case 'choice':
      return text;
    case 'boolean':
      return text === 'true';
    case 'number':
    case 'integer':
      return parseNumber(text, { ...field, integer: field.kind === 'integer' }, trans);
    case 'lines':
      return lines(text);
    case 'shares':
      return Object.fromEntries(lines(text).map(line => shareOf(line, trans)));
    case 'json':
      return jsonOrFile(text.trim());
  }
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '');
}

/** A field for any value also takes the name of a file. */
function jsonOrFile(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (/^[[{"]/.test(text)) throw error;
    return text;
  }
}

function shareOf(line: string, trans: TranslationBundle): [string, number] {
  const at = line.lastIndexOf('=');
  const value = Number(line.slice(at + 1).replace(/\s*%$/, ''));
  if (at < 1 || line.slice(at + 1).trim() === '' || !Number.isFinite(value)) {
    throw new Error(trans.__('‘%1’ is not TAG=PERCENT', line));
  }
  return [line.slice(0, at).trim(), value];
}
