/** The column that a refusal names because of null: `income: must be a number, not null`. */
export function columnOfNull(reason: string): string | null {
  return /^([^:]+): must .*\bnot null$/.exec(reason)?.[1] ?? null;
}
