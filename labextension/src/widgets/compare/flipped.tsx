/** The rows with different answers: the fields of the input, and the fields that differ. */
import * as React from 'react';

import { differenceWords, digits, jsonFields, jsonNumber } from '../../figures';
import type { FieldChange, FlippedRow } from '../../generated';
import { time } from '../../words';
import { useServices } from '../ui/services';

const MOST_FIELDS = 8;
/** Characters of a value that is cut after three lines. */
const LONG = 120;

export function Flipped(props: {
  rows: readonly FlippedRow[];
  flips: number;
  pairs: number;
}): React.JSX.Element {
  const { rows, flips, pairs } = props;
  const { trans } = useServices();
  return (
    <section>
      <h3>{trans.__('Rows with different answers')}</h3>
      {rows.length === 0 ? (
        <p className="nbd-faint">
          {pairs === 0
            ? trans.__(
                'No request was answered by both releases yet. Send requests to the URL above.'
              )
            : trans.__('None: both releases gave the same answers.')}
        </p>
      ) : (
        <>
          <p className="nbd-faint">
            {flips > rows.length
              ? trans.__('The latest %1 of %2', rows.length, flips.toLocaleString())
              : trans._n('%1 row', '%1 rows', flips)}
          </p>
          <ul className="nbd-Flipped" aria-label={trans.__('Flipped rows')}>
            {rows.map(row => (
              <Row key={`${row.pair_id} ${String(row.row)}`} row={row} />
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Row({ row }: { row: FlippedRow }): React.JSX.Element {
  const { trans } = useServices();
  const changes: readonly FieldChange[] =
    row.changes.length > 0
      ? row.changes
      : [{ field: '', stable: row.stable, candidate: row.candidate }];
  return (
    <li>
      <span className="nbd-faint" title={row.ts}>
        {time(row.ts)}
      </span>
      <Input text={row.input} />
      <dl>
        {changes.map(change => (
          <div key={change.field}>
            <dt>{change.field ? <code>{change.field}</code> : trans.__('answer')}</dt>
            <dd>
              <Value text={change.stable} />
              <span aria-hidden="true"> → </span>
              <span className="nbd-unseen">{trans.__('candidate:')}</span>
              <Value text={change.candidate} flipped />
              <span className="nbd-faint"> {differenceWords(change)}</span>
            </dd>
          </div>
        ))}
      </dl>
    </li>
  );
}

/** A value as JSON; of a number three digits, all of them in the title. */
function Value(props: { text: string; flipped?: boolean }): React.JSX.Element {
  const { text, flipped = false } = props;
  const { trans } = useServices();
  const number = jsonNumber(text);
  const names = [flipped ? 'nbd-flip' : '', text.length > LONG ? 'nbd-clip' : ''];
  return (
    <code title={text} className={names.filter(Boolean).join(' ')}>
      {number !== null ? digits(number) : text || trans.__('absent')}
    </code>
  );
}

/** The fields of an object, each of which stays in one piece; anything else as JSON. */
function Input({ text }: { text: string }): React.JSX.Element {
  const { trans } = useServices();
  const fields = jsonFields(text);
  if (fields === null)
    return (
      <code className="nbd-clip" title={text}>
        {text}
      </code>
    );
  return (
    <span className="nbd-Input" title={text}>
      {fields.slice(0, MOST_FIELDS).map(([name, value]) => (
        <span key={name}>
          <span className="nbd-faint">{name}</span> <code>{value}</code>
        </span>
      ))}
      {fields.length > MOST_FIELDS && (
        <span className="nbd-faint">
          {trans._n('and %1 more', 'and %1 more', fields.length - MOST_FIELDS)}
        </span>
      )}
    </span>
  );
}
