/** The requests of verbs, as the routes describe them. */
import type { EndpointView, Verb } from './generated';
import { requestAPI } from './request';
import type { Transport } from './transport';
import { fieldsOf, type Schema, type Texts, type VerbField } from './verbFields';

/** The fields of a verb's form. The router describes its own requests, so none is of another version. */
export async function fieldsOfVerb(transport: Transport, verb: Verb): Promise<VerbField[]> {
  const { value } = await requestAPI<Description>(transport, 'openapi.json');
  const described = value.paths[`/${verb}`]?.post.requestBody.content['application/json'].schema;
  const name = described?.$ref.split('/').at(-1) ?? '';
  return fieldsOf(value.components.schemas[name] ?? {});
}

interface Description {
  paths: Record<
    string,
    { post: { requestBody: { content: { 'application/json': { schema: { $ref: string } } } } } }
  >;
  components: { schemas: Record<string, Schema> };
}

/** The default destination of an endpoint's images. */
export async function publishTarget(transport: Transport, name: string | null): Promise<Texts> {
  if (name === null) return {};
  try {
    const query = { method: 'POST' as const, body: { name } };
    const { value } = await requestAPI<EndpointView>(transport, 'views/endpoint', query);
    return { to: value.publish_to };
  } catch {
    return {}; // the form explains an empty field
  }
}
