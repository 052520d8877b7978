/**
 * The traffic as bars: the releases that answer, and below them those that get copies. Its words
 * are its accessible name.
 */
import * as React from 'react';

import type { ReleaseCard } from '../../generated';
import { percent, roleName, short, version } from '../../words';
import { useServices } from '../ui/services';

export function Traffic(props: { cards: readonly ReleaseCard[] }): React.JSX.Element | null {
  const { trans } = useServices();
  const answering = props.cards.filter(card => card.role === 'stable' || card.role === 'canary');
  const shadows = props.cards.filter(card => card.role === 'shadow');
  const all = [...answering, ...shadows];
  if (all.length === 0) return null;
  const words = all.map(
    card => `${roleName(trans, card.role)} ${short(card.tag)} ${percent(card.percent)}`
  );
  return (
    <div className="nbd-Traffic" role="img" aria-label={trans.__('Traffic: %1', words.join(', '))}>
      <div className="nbd-Traffic-bar">
        {answering
          .filter(card => card.percent > 0)
          .map(card => (
            <span
              key={card.tag}
              data-role={card.role}
              title={`${card.tag}: ${roleName(trans, card.role)} ${percent(card.percent)}`}
              style={{ flexGrow: card.percent }}
            >
              {roleName(trans, card.role)} {percent(card.percent)}
            </span>
          ))}
      </div>
      {shadows.map(card => (
        <div
          key={card.tag}
          className="nbd-Traffic-copies"
          title={trans.__('%1: gets copies of %2 of the requests', card.tag, percent(card.percent))}
        >
          <div>
            <span style={{ width: `${String(card.percent)}%` }} />
          </div>
          <span>{trans.__('copies to %1 %2', version(card.tag), percent(card.percent))}</span>
        </div>
      ))}
    </div>
  );
}
