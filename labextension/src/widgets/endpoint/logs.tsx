/** The log of a release: what its processes printed, with tracebacks. */
import * as React from 'react';

import type { EndpointView, ReleaseLogView } from '../../generated';
import { roleName, version } from '../../words';
import { TYPING_MS, useDebounced, useLoaded, useVisible } from '../ui/hooks';
import { Button, Copy, Empty, LoadFailure, Waiting } from '../ui/parts';
import { Scrolled } from '../ui/scrolled';
import { useServices } from '../ui/services';

const EVERY_MS = 2000;

/** `release`: the chosen one; empty: stable. */
export function Logs(props: {
  view: EndpointView;
  release: string;
  onRelease: (release: string) => void;
}): React.JSX.Element {
  const { view: endpoint, onRelease } = props;
  const { trans, view } = useServices();
  const [typed, setTyped] = React.useState('');
  const text = useDebounced(typed, TYPING_MS);
  const [follows, setFollows] = React.useState(true);
  const root = React.useRef<HTMLDivElement>(null);
  const visible = useVisible(root);
  const stable = endpoint.cards.find(card => card.role === 'stable')?.tag ?? '';
  const release = props.release || stable;
  const loaded = useLoaded<ReleaseLogView>(
    JSON.stringify([endpoint.name, release, text]),
    async signal =>
      view('release_log', { name: endpoint.name, ...(release && { release }), text }, signal),
    { everyMs: follows ? EVERY_MS : 0, active: visible }
  );
  const shown = loaded.value;
  return (
    <div ref={root} className="nbd-Logs">
      <div className="nbd-Filters" role="search" aria-label={trans.__('Filter the log')}>
        <input
          type="search"
          value={typed}
          placeholder={trans.__('Text in the log')}
          aria-label={trans.__('Text in the log')}
          onChange={event => {
            setTyped(event.target.value);
          }}
        />
        <select
          value={release}
          aria-label={trans.__('Release')}
          onChange={event => {
            onRelease(event.target.value);
          }}
        >
          {endpoint.cards.map(card => (
            <option key={card.tag} value={card.tag}>
              {[card.label, version(card.tag), `(${roleName(trans, card.role)})`]
                .filter(Boolean)
                .join(' ')}
            </option>
          ))}
        </select>
        <label className="nbd-row">
          <input
            type="checkbox"
            checked={follows}
            onChange={event => {
              setFollows(event.target.checked);
            }}
          />
          {trans.__('Follow')}
        </label>
        {!follows && (
          <Button look="quiet" onClick={loaded.reload}>
            {trans.__('Refresh')}
          </Button>
        )}
      </div>
      {loaded.error !== null && <LoadFailure loaded={loaded} />}
      {!shown && loaded.error === null && <Waiting words={trans.__('Loading the log …')} />}
      {shown?.lines.length === 0 && (
        <Empty
          title={trans.__('No lines')}
          text={`${trans.__('Nothing to show:')} ${shown.note}.`}
        />
      )}
      {shown !== null && shown.lines.length > 0 && (
        <>
          <p className="nbd-row">
            <span className="nbd-faint">
              {shown.cut
                ? trans.__('The last %1 lines', shown.lines.length.toLocaleString())
                : trans
                    ._n('%1 line', '%1 lines', shown.lines.length)
                    .replace(String(shown.lines.length), shown.lines.length.toLocaleString())}
            </span>
            <Copy text={shown.lines.join('\n')} label={trans.__('Copy the log')} />
          </p>
          <Lines lines={shown.lines} follows={follows} />
        </>
      )}
    </div>
  );
}

/** The end stays in view while the log is followed, unless the user has scrolled up. */
function Lines(props: { lines: readonly string[]; follows: boolean }): React.JSX.Element {
  const { lines, follows } = props;
  const { trans } = useServices();
  const box = React.useRef<HTMLDivElement>(null);
  const atEnd = React.useRef(true);
  React.useLayoutEffect(() => {
    const { current } = box;
    if (current && follows && atEnd.current) current.scrollTop = current.scrollHeight;
  }, [lines, follows]);
  return (
    <Scrolled
      ref={box}
      label={trans.__('Log of the release')}
      className="nbd-Logs-lines"
      onScroll={event => {
        const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
        atEnd.current = scrollTop + clientHeight >= scrollHeight - 8;
      }}
    >
      <pre>{lines.join('\n')}</pre>
    </Scrolled>
  );
}
