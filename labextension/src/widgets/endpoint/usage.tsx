/** The processors, memory, workers and waiting requests of a release, next to their limits. */
import * as React from 'react';

import type { ReleaseCard, UsageCard } from '../../generated';
import { size, threeDigits } from '../../words';
import { useServices } from '../ui/services';

/** From this share of a limit on, a value is marked. */
const HIGH = 0.9;

/** Whether there is anything to show of a release's resources. */
export function hasResources(card: ReleaseCard): boolean {
  return card.usage !== null || card.limits.length > 0;
}

/** The resources in use of a release; where they are not known, as in a cluster, its limits and replicas. */
export function Resources({ card }: { card: ReleaseCard }): React.JSX.Element {
  return (
    <>
      {card.usage && <Usage usage={card.usage} />}
      {card.limits.map(limit => (
        <p className="nbd-faint" key={limit}>
          {limit}
        </p>
      ))}
    </>
  );
}

export function Usage({ usage }: { usage: UsageCard }): React.JSX.Element {
  const { trans } = useServices();
  const { cpu, most_cpu, memory, most_memory, workers, most_workers, waiting } = usage;
  return (
    <dl className="nbd-Usage" aria-label={trans.__('Resources in use')}>
      <Fact
        name={trans.__('CPU')}
        title={trans.__('Processors in use; a limit is that of the deploy')}
        words={
          cpu === null
            ? '–'
            : most_cpu === null
              ? threeDigits(cpu)
              : trans.__('%1 of %2', threeDigits(cpu), most_cpu)
        }
        share={cpu === null || most_cpu === null ? null : cpu / most_cpu}
      />
      <Fact
        name={trans.__('memory')}
        title={trans.__('Memory in use; pages that workers share count once')}
        words={
          most_memory === null
            ? size(memory)
            : trans.__('%1 of %2', size(memory), size(most_memory))
        }
        share={most_memory === null ? null : memory / most_memory}
      />
      <Fact
        name={trans.__('workers')}
        title={trans.__('Processes that answer requests')}
        words={trans.__('%1 of %2', workers, most_workers)}
        share={null}
      />
      <Fact
        name={trans.__('queue')}
        title={trans.__('Requests that wait for the model')}
        words={waiting === null ? '–' : waiting.toLocaleString()}
        share={null}
      />
    </dl>
  );
}

/** `share` of the limit; null: there is no limit. */
function Fact(props: {
  name: string;
  title: string;
  words: string;
  share: number | null;
}): React.JSX.Element {
  const { name, title, words, share } = props;
  return (
    <div title={title} data-high={share !== null && share >= HIGH}>
      <dt>{name}</dt>
      <dd>
        {words}
        {share !== null && <meter min={0} max={1} high={HIGH} value={share} aria-label={name} />}
      </dd>
    </div>
  );
}
