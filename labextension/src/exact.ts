/**
 * JSON whose numbers keep their digits: JavaScript's own rounds whole numbers beyond 2^53, and
 * makes 1 of 1.0.
 */
import { LosslessNumber, parse, stringify } from 'lossless-json';

import type { Json } from './request';

export const exact: Json = {
  parse: text => parse(text, null, exactly),
  stringify: (value, indent) => stringify(value, null, indent) ?? 'null'
};

/** A number where JavaScript writes it as it stands, else what keeps its text. */
export function exactly(text: string): number | LosslessNumber {
  const value = Number(text);
  return String(value) === text ? value : new LosslessNumber(text);
}
