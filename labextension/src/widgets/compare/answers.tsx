/** The answers of both releases, and the requests that they refused. */
import * as React from 'react';

import { share } from '../../figures';
import type { ComparedRefusal, ComparisonView } from '../../generated';
import { Button } from '../ui/parts';
import { useServices } from '../ui/services';

/** How often each release gave each answer; a bar is a share of the release's rows. */
export function Answers({ shown }: { shown: ComparisonView }): React.JSX.Element | null {
  const { trans } = useServices();
  const { answers } = shown;
  if (answers.length === 0) return null;
  const total = {
    stable: answers.reduce((sum, one) => sum + one.stable, 0),
    candidate: answers.reduce((sum, one) => sum + one.candidate, 0)
  };
  const cell = (side: 'stable' | 'candidate', count: number): React.JSX.Element => {
    const part = total[side] ? count / total[side] : 0;
    return (
      <td title={share(part)} data-side={side}>
        <span
          className="nbd-AnswerBar"
          style={{ width: `${String(part * 100)}%` }}
          aria-hidden="true"
        />
        {count.toLocaleString()} <span className="nbd-faint">{share(part)}</span>
      </td>
    );
  };
  return (
    <section>
      <h3>{trans.__('Answers')}</h3>
      <table className="nbd-Table nbd-AnswerTable">
        <thead>
          <tr>
            <th scope="col">{trans.__('answer')}</th>
            <th scope="col">{trans.__('stable')}</th>
            <th scope="col">{trans.__('candidate')}</th>
          </tr>
        </thead>
        <tbody>
          {answers.map(one => (
            <tr key={one.answer}>
              <th scope="row">{one.answer || trans.__('all others')}</th>
              {cell('stable', one.stable)}
              {cell('candidate', one.candidate)}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** The reasons of refused requests, and the other release's answers to the same requests. */
export function Refusals(props: {
  shown: ComparisonView;
  showRecords: (status: string, release: string) => void;
}): React.JSX.Element | null {
  const { shown, showRecords } = props;
  const { trans } = useServices();
  const { refusals, refused } = shown;
  if (refused.stable + refused.candidate === 0) return null;
  const tagOf = (one: ComparedRefusal): string =>
    one.release === 'stable' ? shown.stable : shown.candidate;
  return (
    <section className="nbd-Refusals">
      <h3>
        {trans.__(
          'Refused: %1 by stable, %2 by the candidate',
          refused.stable.toLocaleString(),
          refused.candidate.toLocaleString()
        )}
      </h3>
      <ul>
        {refusals.map((one, i) => (
          <li key={i}>
            <strong>{one.requests.toLocaleString()}</strong>{' '}
            <span>{one.reason || trans.__('the reason is not recorded')}</span>{' '}
            <span className="nbd-faint">
              {one.status} · {one.release}
              {otherWords(one).map(words => ` · ${words}`)}
            </span>{' '}
            <Button
              look="quiet"
              aria-label={trans.__('Show the requests: %1', one.reason)}
              onClick={() => {
                showRecords(String(one.status), tagOf(one));
              }}
            >
              {trans.__('Show')}
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );

  function otherWords(one: ComparedRefusal): string[] {
    const other = one.release === 'stable' ? trans.__('the candidate') : trans.__('stable');
    const found = Object.entries(one.other).sort(([, a], [, b]) => b - a);
    return found.map(([status, requests]) =>
      requests === one.requests
        ? trans.__('%1 answered all of them with %2', other, status)
        : trans.__('%1 answered %2 of them with %3', other, requests, status)
    );
  }
}
