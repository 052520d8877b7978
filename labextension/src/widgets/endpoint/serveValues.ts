/** How an endpoint is called, as a form holds it, and the document that it makes. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { EndpointDocument, EndpointView } from '../../generated';
import { again, readForm, type Texts, type VerbField } from '../../verbFields';

/** The ways besides HTTP, which an endpoint always answers. */
export const WAYS = ['batch', 'stream'] as const;

export type Way = (typeof WAYS)[number];

export interface WayValues {
  readonly on: boolean;
  readonly texts: Texts;
}

export type ServeValues = Readonly<Record<Way, WayValues>>;

/** The fields of each way, from the schema of the endpoint's document. */
export type WayFields = Readonly<Record<Way, readonly VerbField[]>>;

/** The form of an endpoint as it is. */
export function valuesOf({ batch, stream }: EndpointView['serve']): ServeValues {
  const known = (spec: object | null): WayValues => ({
    on: spec !== null,
    texts: spec === null ? {} : again(spec as Readonly<Record<string, unknown>>).texts
  });
  return { batch: known(batch), stream: known(stream) };
}

/**
 * The document whose ways are those of the form, and the problems of its fields. Everything else of
 * the endpoint is left out, so that it stays as it is.
 */
export function documentOf(
  view: Pick<EndpointView, 'name' | 'target' | 'cards'>,
  values: ServeValues,
  fields: WayFields,
  trans: TranslationBundle
): {
  document: EndpointDocument;
  problems: Readonly<Record<Way, Readonly<Record<string, string>>>>;
} {
  const batch = readForm(fields.batch, values.batch.texts, trans);
  const stream = readForm(fields.stream, values.stream.texts, trans);
  const stable = view.cards.find(card => card.role === 'stable');
  return {
    document: {
      name: view.name,
      target: view.target,
      releases: stable ? [{ tag: stable.tag }] : [],
      serve: {
        batch: values.batch.on ? (batch.request as never) : null,
        stream: values.stream.on ? (stream.request as never) : null
      }
    },
    problems: {
      batch: values.batch.on ? batch.problems : {},
      stream: values.stream.on ? stream.problems : {}
    }
  };
}
