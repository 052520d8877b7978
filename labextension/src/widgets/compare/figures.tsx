/** The figures of a comparison, each with its interval. */
import * as React from 'react';

import { digits, type FigureKind, figureWords, share } from '../../figures';
import type { ComparisonView, Estimate } from '../../generated';
import { useServices } from '../ui/services';

interface Fact {
  readonly name: string;
  readonly value: string;
  readonly more?: string;
  readonly whole?: string;
}

export function Figures({ shown }: { shown: ComparisonView }): React.JSX.Element {
  const { trans } = useServices();
  const missing = trans.__('not enough evidence');
  const figure = (name: string, estimate: Estimate | null, kind: FigureKind, of = ''): Fact => {
    if (estimate === null) return { name, value: '–', more: missing };
    const { value, interval, whole } = figureWords(estimate, kind);
    return { name, value, more: `${interval} ${of}`.trim(), whole };
  };
  const count = (value: number): string => value.toLocaleString();
  const { stable, candidate } = shown.sides;
  const facts: (Fact | null)[] = [
    shown.paired ? figure(trans.__('agreement'), shown.agreement, 'share') : null,
    {
      name: trans.__('evidence'),
      value: trans._n('%1 cluster', '%1 clusters', shown.clusters),
      more: shown.paired
        ? trans.__('%1 pairs, %2 rows', count(shown.pairs), count(shown.rows))
        : trans.__(
            '%1 and %2 requests',
            count(stable?.requests ?? 0),
            count(candidate?.requests ?? 0)
          )
    },
    shown.paired
      ? figure(
          trans.__('coverage'),
          shown.coverage,
          'share',
          trans.__('of %1 mirrored', count(shown.mirrored))
        )
      : null,
    figure(trans.__('errors, candidate − stable'), shown.error_difference, 'points'),
    figure(
      trans.__('latency, candidate − stable'),
      shown.latency_difference_ms,
      'milliseconds',
      trans.__('(median)')
    ),
    figure(
      trans.__('slow answers'),
      shown.slow_rate,
      'share',
      trans.__("above stable's 95th percentile")
    ),
    shown.paired
      ? figure(
          trans.__('refused by the candidate alone'),
          shown.refusal_rate,
          'share',
          trans.__('of what stable answers')
        )
      : null,
    shown.accuracy_difference
      ? figure(trans.__('accuracy, candidate − stable'), shown.accuracy_difference, 'points')
      : null,
    shown.absolute_error_difference
      ? figure(
          trans.__('absolute error, candidate − stable'),
          shown.absolute_error_difference,
          'signed',
          trans.__('(median)')
        )
      : null,
    shown.paired && shown.agreement_worst_case !== null
      ? {
          name: trans.__('agreement at worst'),
          value: share(shown.agreement_worst_case),
          more: trans.__('if all without a comparison disagreed'),
          whole: String(shown.agreement_worst_case)
        }
      : null
  ];
  return <FactList facts={facts.filter(fact => fact !== null)} />;
}

/** Requests, errors, refusals and latencies of both releases. */
export function Sides({ shown }: { shown: ComparisonView }): React.JSX.Element | null {
  const { trans } = useServices();
  const { stable, candidate } = shown.sides;
  if (!stable || !candidate) return null;
  const number = (value: number | null): React.ReactNode =>
    value === null ? '–' : <span title={String(value)}>{digits(value)} ms</span>;
  const rows: [string, React.ReactNode, React.ReactNode, boolean?][] = [
    [trans.__('requests'), stable.requests.toLocaleString(), candidate.requests.toLocaleString()],
    [
      trans.__('errors'),
      stable.errors.toLocaleString(),
      candidate.errors.toLocaleString(),
      candidate.errors > stable.errors
    ],
    [
      trans.__('refused'),
      shown.refused.stable.toLocaleString(),
      shown.refused.candidate.toLocaleString()
    ],
    [trans.__('latency, median'), number(stable.latency_p50_ms), number(candidate.latency_p50_ms)],
    [
      trans.__('latency, 95 % within'),
      number(stable.latency_p95_ms),
      number(candidate.latency_p95_ms)
    ]
  ];
  return (
    <section>
      <h3>{trans.__('Both releases')}</h3>
      <table className="nbd-Table nbd-mod-numbers">
        <thead>
          <tr>
            <td />
            <th scope="col">{trans.__('stable')}</th>
            <th scope="col">{trans.__('candidate')}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, one, other, bad = false]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{one}</td>
              <td data-bad={bad}>{other}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** What few readers need: rarer figures, the candidate's exceptions, the reach of the ground truth. */
export function More({ shown }: { shown: ComparisonView }): React.JSX.Element | null {
  const { trans } = useServices();
  const blocks: Record<string, [string, FigureKind]> = {
    agreement: [trans.__('agreement'), 'share'],
    error_rate_difference: [trans.__('errors'), 'points'],
    latency_p50_difference_ms: [trans.__('latency'), 'milliseconds']
  };
  const estimate = (name: string, figure: Estimate, kind: FigureKind): Fact => {
    const { value, interval, whole } = figureWords(figure, kind);
    return { name, value, more: interval, whole };
  };
  const count = (name: string, counts: Readonly<Record<string, number>>): Fact[] =>
    Object.entries(counts).map(([reason, value]) => ({
      name: `${name}: ${reason}`,
      value: value.toLocaleString()
    }));
  const facts: Fact[] = [
    ...Object.entries(blocks).flatMap(([key, [name, kind]]) => {
      const figure = shown.by_minute[key];
      return figure ? [estimate(trans.__('%1, by one-minute blocks', name), figure, kind)] : [];
    }),
    ...(shown.distinct_inputs > 0
      ? [{ name: trans.__('distinct inputs'), value: shown.distinct_inputs.toLocaleString() }]
      : []),
    ...Object.entries(shown.answer_shares).map(([answer, figure]) =>
      estimate(trans.__('share of "%1", candidate − stable', answer), figure, 'points')
    ),
    ...count(trans.__("candidate's errors"), shown.errors),
    ...count(trans.__('not answered'), shown.shadow_failures),
    ...shown.labelled.map(one => ({
      name: trans.__('with ground truth, by %1: %2', one.by, one.value),
      value: trans.__('%1 of %2', one.labelled.toLocaleString(), one.requests.toLocaleString())
    }))
  ];
  if (facts.length === 0) return null;
  return (
    <details>
      <summary>{trans.__('More figures')}</summary>
      <FactList facts={facts} />
    </details>
  );
}

function FactList({ facts }: { facts: readonly Fact[] }): React.JSX.Element {
  return (
    <dl className="nbd-Figures">
      {facts.map(fact => (
        <div key={fact.name} title={fact.whole}>
          <dt>{fact.name}</dt>
          <dd>
            <strong>{fact.value}</strong>{' '}
            {fact.more && <span className="nbd-faint">{fact.more}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
