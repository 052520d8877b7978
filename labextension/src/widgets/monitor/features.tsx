/** The features against their reference, ranked by alarms and evidence. */
import * as React from 'react';

import { digits } from '../../figures';
import type { MonitorFeature } from '../../generated';
import { Button } from '../ui/parts';
import { useServices } from '../ui/services';

const MOST = 12;

export function Features(props: { features: readonly MonitorFeature[] }): React.JSX.Element | null {
  const { features } = props;
  const { trans } = useServices();
  const [all, setAll] = React.useState(false);
  if (features.length === 0) return null;
  const rows = all ? features : features.slice(0, MOST);
  return (
    <section className="nbd-Features" aria-label={trans.__('Features by drift')}>
      <h3>{trans.__('Features by drift')}</h3>
      <ol>
        {rows.map(one => (
          <li key={one.name}>
            <strong>{one.name}</strong>
            {one.alarms > 0 && (
              <span className="nbd-Features-alarm">
                <i aria-hidden="true">▲</i> {trans._n('%1 alarm', '%1 alarms', one.alarms)}
              </span>
            )}{' '}
            <span>{one.moved}</span>{' '}
            <span
              className="nbd-faint"
              title={trans.__(
                'Evidence of the range alone; the Jensen-Shannon divergence is a size without a scale of good and bad'
              )}
            >
              {trans.__('e-value %1', digits(one.evidence))}
              {one.jensen_shannon !== null && ` · JS ${digits(one.jensen_shannon)}`}
            </span>
            {one.compared && (
              <>
                {' '}
                <span
                  className="nbd-Features-compared"
                  title={trans.__('From the compared range to this one: a description, not a test')}
                >
                  {trans.__('since the compared range: %1', one.compared)}
                </span>
              </>
            )}
          </li>
        ))}
      </ol>
      {rows.length < features.length && (
        <Button
          look="quiet"
          onClick={() => {
            setAll(true);
          }}
        >
          {trans.__('Show all %1', features.length)}
        </Button>
      )}
    </section>
  );
}
