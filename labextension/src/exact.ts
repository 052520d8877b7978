/**
 * JSON whose numbers keep their digits: JavaScript rounds integers beyond 2^53, and writes 1.0 as
 * 1.
 */
import { LosslessNumber, parse, stringify } from 'lossless-json';

import type { Json } from './transport/request';

export const exact: Json = {
  parse: text => parse(text, null, exactly),
  stringify: (value, indent) => stringify(value, null, indent) ?? 'null'
};

/** A JavaScript number if that keeps the text, else an object with the text. */
export function exactly(text: string): number | LosslessNumber {
  const value = Number(text);
  return String(value) === text ? value : new LosslessNumber(text);
}
