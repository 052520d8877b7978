/** Documents of a comparison, as Python makes them. */
import type { ComparisonView, Estimate, VariantSummary } from '../src/generated';

export function estimate(value: number, low: number, high: number, n = 500): Estimate {
  return { value, interval: { low, high, level: 0.95 }, n };
}

export function side(release: string, given: Partial<VariantSummary> = {}): VariantSummary {
  return {
    release,
    requests: 600,
    rows: 600,
    errors: 0,
    error_rate: null,
    latency_p50_ms: 3.14159,
    latency_p95_ms: 9.87654,
    latencies: [],
    answers: {},
    quantiles: {},
    ...given
  };
}

export function comparison(given: Partial<ComparisonView> = {}): ComparisonView {
  return {
    stable: 'clf:aaaaaaaabbbb',
    candidate: 'clf:ccccccccdddd',
    role: 'shadow',
    verdict: 'inconclusive',
    reason: 'no pairs yet',
    recommended: 'wait: more requests will tell',
    pairs: 0,
    coverage: null,
    mirrored: 0,
    charts: {},
    flipped: [],
    flips: 0,
    notes: [],
    since: null,
    clusters: 0,
    forecast: '',
    paired: true,
    rows: 0,
    agreement: null,
    agreement_worst_case: null,
    error_difference: null,
    latency_difference_ms: null,
    slow_rate: null,
    refusal_rate: null,
    accuracy_difference: null,
    absolute_error_difference: null,
    recommendation: 'wait',
    sides: { stable: side('clf:aaaaaaaabbbb'), candidate: side('clf:ccccccccdddd') },
    answers: [],
    refused: { stable: 0, candidate: 0 },
    refusals: [],
    numbers: null,
    relative_tolerance: 1e-6,
    absolute_tolerance: 1e-9,
    tolerance_from: 'default',
    fields: [],
    fields_total: 0,
    shapes: [],
    segments: null,
    phases: [],
    distinct_inputs: 0,
    by_minute: {},
    errors: {},
    shadow_failures: {},
    labelled: [],
    answer_shares: {},
    ...given
  };
}
