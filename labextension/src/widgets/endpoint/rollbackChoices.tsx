/** The revisions that a rollback can lead to, each by the releases that had traffic then. */
import * as React from 'react';

import type { Changes, Pending } from '../../changes';
import type { EndpointView } from '../../generated';
import { rollbackChoices } from '../../rollback';
import { ago, clock } from '../../words';
import { useServices } from '../ui/services';

export function RollbackChoices(props: {
  pending: Pending;
  changes: Changes;
  view: EndpointView;
  now: number;
}): React.JSX.Element {
  const { pending, changes, view, now } = props;
  const { trans } = useServices();
  const name = React.useId();
  const { to } = pending.fields;
  const chosen = typeof to === 'number' ? to : view.previous;
  return (
    <fieldset className="nbd-RollbackChoices">
      <legend>{trans.__('Back to')}</legend>
      {rollbackChoices(view, chosen).map(row => (
        <label key={row.revision}>
          <input
            type="radio"
            name={name}
            checked={row.revision === chosen}
            onChange={() => void changes.propose('rollback', { to: row.revision }, view)}
          />
          <span>
            <strong>{row.state}</strong>
            {row.isDefault && <em className="nbd-Badge">{trans.__('default')}</em>}
            <br />
            <span className="nbd-faint" title={clock(row.at)}>
              {trans.__('revision %1, by %2, %3', row.revision, row.by, ago(trans, row.at, now))}
              {row.reason ? `: “${row.reason}”` : ''}
            </span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
