/** Numbers that users type. */
import type { TranslationBundle } from '@jupyterlab/translation';

export interface NumberLimits {
  readonly integer: boolean;
  readonly minimum?: number | null | undefined;
  readonly maximum?: number | null | undefined;
}

/** The number in a text; throws an `Error` with the problem. */
export function parseNumber(text: string, limits: NumberLimits, trans: TranslationBundle): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new Error(trans.__('not a number'));
  if (limits.integer && !Number.isInteger(value)) throw new Error(trans.__('not a whole number'));
  const { minimum, maximum } = limits;
  if (typeof minimum === 'number' && value < minimum)
    throw new Error(trans.__('less than %1', minimum));
  if (typeof maximum === 'number' && value > maximum)
    throw new Error(trans.__('more than %1', maximum));
  return value;
}
