/** The requests of verbs, as the routes describe them. */
import type {
  FieldProblem,
  PublishFormView,
  SearchFormView,
  SettingsFile,
  Verb
} from './generated';
import { requestAPI } from './transport/request';
import type { Transport } from './transport/transport';
import { fieldsOf, type Schema, type Texts, type VerbField } from './verbFields';

/** The fields of a verb's form. The router describes its own requests, so none is of another version. */
export async function fieldsOfVerb(transport: Transport, verb: Verb): Promise<VerbField[]> {
  const { paths, components } = await description(transport);
  const described = paths[`/${verb}`]?.post.requestBody.content['application/json'].schema;
  const name = described?.$ref.split('/').at(-1) ?? '';
  return fieldsOf(components.schemas[name] ?? {});
}

/** The fields of a part of a request, by the name of its schema. */
export async function fieldsOfSchema(transport: Transport, name: string): Promise<VerbField[]> {
  return fieldsOf((await description(transport)).components.schemas[name] ?? {});
}

async function description(transport: Transport): Promise<Description> {
  return (await requestAPI<Description>(transport, 'openapi.json')).value;
}

interface Description {
  paths: Record<
    string,
    { post: { requestBody: { content: { 'application/json': { schema: { $ref: string } } } } } }
  >;
  components: { schemas: Record<string, Schema> };
}

/** What a form begins with. */
export interface FormStart {
  readonly texts: Texts;
  /** The settings of its folder; null: there are none to agree to. */
  readonly settings: SettingsFile | null;
}

export const EMPTY_START: FormStart = { texts: {}, settings: null };

/** What a check of the typed values finds. */
export interface Checked {
  readonly problems: readonly FieldProblem[];
  /** Values to suggest, by the field's name. */
  readonly suggestions: Suggested;
}

export type Suggested = Readonly<Record<string, readonly string[]>>;

export type Check = (texts: Texts, signal: AbortSignal) => Promise<Checked>;

/** The check of a verb's typed values; undefined: its request itself reports what is wrong. */
export function checkOf(transport: Transport, verb: Verb): Check | undefined {
  switch (verb) {
    case 'publish':
      return async (texts, signal) => publishProblems(transport, texts, signal);
    case 'automl':
      return async (texts, signal) => searchProblems(transport, texts, signal);
    default:
      return undefined;
  }
}

/** The columns of a search's table, and the problems of its fields as they are typed. */
async function searchProblems(
  transport: Transport,
  { data = '', label_column = '' }: Texts,
  signal: AbortSignal
): Promise<Checked> {
  const options = { method: 'POST' as const, body: { data, label_column }, signal };
  const { value } = await requestAPI<SearchFormView>(transport, 'views/search_form', options);
  const { columns, problems } = value;
  return {
    problems,
    suggestions: { label_column: columns, time_column: columns, group_column: columns }
  };
}

/** What applies to a publication if its fields are empty: that of the last one, or of the settings. */
export async function publishDefaults(
  transport: Transport,
  name: string | null,
  release: string | undefined
): Promise<FormStart> {
  if (name === null) return EMPTY_START;
  try {
    const { to, base, settings } = await publishForm(transport, {
      name,
      ...(release && { release })
    });
    return { texts: { to, base }, settings };
  } catch {
    return EMPTY_START; // the form explains an empty field
  }
}

/** The user agrees that jobs use the settings of a folder. */
export async function agreeToSettings(
  transport: Transport,
  { folder, digest }: SettingsFile
): Promise<void> {
  const body = { folder, digest };
  await requestAPI<SettingsFile>(transport, 'agreements', { method: 'POST', body });
}

/** The problems of a publication's fields as they are typed. */
async function publishProblems(
  transport: Transport,
  texts: Texts,
  signal: AbortSignal
): Promise<Checked> {
  const { name = '', release = '', to = '', base = '' } = texts;
  if (name === '') return { problems: [], suggestions: {} };
  const request = { name, ...(release && { release }), to: to.trim(), base: base.trim() };
  const { problems } = await publishForm(transport, { ...request, check: true }, signal);
  return { problems, suggestions: {} };
}

async function publishForm(
  transport: Transport,
  body: Readonly<Record<string, unknown>>,
  signal?: AbortSignal
): Promise<PublishFormView> {
  const options = { method: 'POST' as const, body, ...(signal && { signal }) };
  return (await requestAPI<PublishFormView>(transport, 'views/publish_form', options)).value;
}
