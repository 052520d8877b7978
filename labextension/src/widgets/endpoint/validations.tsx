/** The validations of an endpoint: the latest outcomes and metrics, release by release. */
import * as React from 'react';

import type { ValidationRow, ValidationsView } from '../../generated';
import { ago, clock, short } from '../../words';
import { Chart } from '../ui/chart';
import { useLoaded, useVisible } from '../ui/hooks';
import { LoadFailure, Waiting } from '../ui/parts';
import { useServices } from '../ui/services';

/** A validation by another client makes no revision. */
const EVERY_MS = 30_000;

export function Validations(props: {
  name: string;
  revision: number;
  now: number;
}): React.JSX.Element {
  const { name, revision, now } = props;
  const { trans, view } = useServices();
  const root = React.useRef<HTMLElement>(null);
  const visible = useVisible(root);
  const loaded = useLoaded<ValidationsView>(
    `${name} ${String(revision)}`,
    async signal => view('validations', { name }, signal),
    { everyMs: EVERY_MS, active: visible }
  );
  const shown = loaded.value;
  return (
    <section ref={root}>
      <h3>{trans.__('Validations')}</h3>
      {loaded.error !== null && <LoadFailure loaded={loaded} />}
      {!shown && loaded.error === null && <Waiting words={trans.__('Loading the validations …')} />}
      {shown?.validations.length === 0 && (
        <p className="nbd-faint">
          {trans.__(
            'No validations yet. Choose a validation notebook when you deploy: it runs for each release, and its metrics are drawn here.'
          )}
        </p>
      )}
      {shown && shown.validations.length > 0 && (
        <>
          {shown.charts.length > 0 ? (
            <div className="nbd-Charts">
              {shown.charts.map((chart, i) => (
                <Chart key={i} spec={chart} />
              ))}
            </div>
          ) : (
            <p className="nbd-faint">
              {trans.__('A metric is drawn once it has two measurements.')}
            </p>
          )}
          <ul className="nbd-Validations" aria-label={trans.__('Validations, newest first')}>
            {shown.validations.map(row => (
              <Row key={row.id} row={row} now={now} />
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Row(props: { row: ValidationRow; now: number }): React.JSX.Element {
  const { row, now } = props;
  const { trans } = useServices();
  const words = {
    pass: trans.__('passed'),
    fail: trans.__('failed'),
    inconclusive: trans.__('undecided')
  }[row.verdict];
  return (
    <li className="nbd-row nbd-mod-wrap" data-verdict={row.verdict}>
      <b>{words}</b>
      {row.release && <span title={row.release}>{short(row.release)}</span>}
      <span className="nbd-faint" title={clock(row.at)}>
        {trans.__('%1 by %2, %3', row.trigger, row.by, ago(trans, row.at, now))}
      </span>
    </li>
  );
}
