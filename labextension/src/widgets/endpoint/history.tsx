/**
 * The revisions: author, time, change and reason; the rollback to each; the difference between
 * releases; their validations.
 */
import * as React from 'react';

import type { EndpointView, Models, ResultPageView, RevisionRow } from '../../generated';
import { type Problem, problemOf, problemOfJob } from '../../transport/problem';
import { ago, clock, short, version } from '../../words';
import { useLoaded } from '../ui/hooks';
import { Button, Empty, Notice, Waiting } from '../ui/parts';
import { ResultPage } from '../ui/resultPage';
import { useServices } from '../ui/services';
import type { ProposeChange } from './releaseCard';
import { Validations } from './validations';

export function History(props: {
  view: EndpointView;
  now: number;
  propose: ProposeChange;
}): React.JSX.Element {
  const { view, now, propose } = props;
  const { trans } = useServices();
  const [pair, setPair] = React.useState<Models | null>(null);
  if (view.history.length === 0) {
    return (
      <Empty title={trans.__('No revisions')} text={trans.__('Each change is listed here.')} />
    );
  }
  return (
    <div className="nbd-History">
      <ol reversed className="nbd-Revisions">
        {view.history.map(row => (
          <Revision
            key={row.revision}
            row={row}
            current={row.revision === view.revision}
            now={now}
            propose={propose}
            onPair={setPair}
          />
        ))}
      </ol>
      <Compare view={view} pair={pair} onPair={setPair} />
      <Validations name={view.name} revision={view.revision} now={now} />
    </div>
  );
}

function Revision(props: {
  row: RevisionRow;
  current: boolean;
  now: number;
  propose: ProposeChange;
  onPair: (pair: Models) => void;
}): React.JSX.Element {
  const { row, current, now, propose, onPair } = props;
  const { trans } = useServices();
  return (
    <li data-current={current}>
      <div className="nbd-row">
        <b>{row.revision}</b>
        <span className="nbd-faint" title={clock(row.at)}>
          {trans.__('%1, %2', row.by, ago(trans, row.at, now))}
        </span>
        {current ? (
          <span className="nbd-faint nbd-mod-right">{trans.__('now')}</span>
        ) : (
          <Button
            look="quiet"
            className="nbd-mod-right"
            aria-label={trans.__('Go back to revision %1', row.revision)}
            onClick={() => {
              propose('rollback', { to: row.revision });
            }}
          >
            {trans.__('Go back…')}
          </Button>
        )}
      </div>
      <p>{row.what}</p>
      {row.diffs.map(pair => (
        <Button
          key={`${pair.a} ${pair.b}`}
          look="quiet"
          className="nbd-Revision-diff"
          aria-label={trans.__('Changes from %1 to %2', short(pair.a), short(pair.b))}
          onClick={() => {
            onPair(pair);
          }}
        >
          {trans.__('Changes since %1', version(pair.a))}
        </Button>
      ))}
      {row.reason && <p className="nbd-faint">“{row.reason}”</p>}
    </li>
  );
}

/** A choice of two releases, and the difference between them. */
function Compare(props: {
  view: EndpointView;
  pair: Models | null;
  onPair: (pair: Models) => void;
}): React.JSX.Element {
  const { view, pair, onPair } = props;
  const { trans } = useServices();
  const tags = view.cards.map(card => card.tag);
  const stable = view.cards.find(card => card.role === 'stable')?.tag ?? tags[0] ?? '';
  const [from, setFrom] = React.useState(stable);
  const [to, setTo] = React.useState(tags.find(tag => tag !== stable) ?? '');
  const choice = (label: string, value: string, set: (tag: string) => void): React.JSX.Element => (
    <select
      aria-label={label}
      value={value}
      onChange={event => {
        set(event.target.value);
      }}
    >
      {view.cards.map(card => (
        <option key={card.tag} value={card.tag}>
          {version(card.tag)} ({card.role})
        </option>
      ))}
    </select>
  );
  return (
    <section>
      <h3>{trans.__('Changes between two releases')}</h3>
      {tags.length < 2 ? (
        <p className="nbd-faint">
          {trans.__('Only one release is kept. Deploy another one to compare them.')}
        </p>
      ) : (
        <form
          className="nbd-row nbd-mod-wrap nbd-Pair"
          onSubmit={event => {
            event.preventDefault();
            onPair({ a: from, b: to });
          }}
        >
          {choice(trans.__('From'), from, setFrom)}
          <span aria-hidden="true">→</span>
          {choice(trans.__('To'), to, setTo)}
          <Button type="submit" disabled={from === to}>
            {trans.__('Show')}
          </Button>
        </form>
      )}
      {pair && <Difference key={`${pair.a} ${pair.b}`} pair={pair} />}
    </section>
  );
}

/** A job computes the difference; the page is the same on every face. */
function Difference(props: { pair: Models }): React.JSX.Element {
  const { a, b } = props.pair;
  const { trans, renderer, job, view } = useServices();
  const box = React.useRef<HTMLDivElement>(null);
  const loaded = useLoaded<ResultPageView | Problem>(`${a} ${b}`, async signal => {
    const ended = await job('diff', { a, b });
    return ended.state === 'done'
      ? view<ResultPageView>('result_page', { job: ended.id }, signal)
      : problemOfJob(ended);
  });
  const { value, error } = loaded;
  React.useEffect(() => {
    box.current?.scrollIntoView({ block: 'nearest' });
  }, [value]);
  const problem = error !== null ? problemOf(error) : value && !('html' in value) ? value : null;
  return (
    <div ref={box}>
      {value === null && error === null && (
        <Waiting
          words={trans.__(
            'Comparing code, data, features, versions and answers of %1 and %2 …',
            short(a),
            short(b)
          )}
        />
      )}
      {problem && (
        <Notice problem={problem}>
          <Button onClick={loaded.reload}>{trans.__('Refresh')}</Button>
        </Notice>
      )}
      {value && 'html' in value && <ResultPage page={value} renderer={renderer} />}
    </div>
  );
}
