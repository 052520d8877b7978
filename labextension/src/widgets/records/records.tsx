/**
 * The records: filtered, in pages, only the visible rows are drawn; an opened record is next to
 * the list or replaces it.
 */
import * as React from 'react';

import { digits } from '../../figures';
import type { EndpointView, RecordRow, RecordsView } from '../../generated';
import type { Pages } from '../../paging';
import { NO_PAGES, withNewer, withOlder } from '../../paging';
import { type Problem, problemOf } from '../../transport/problem';
import { milliseconds, short, time } from '../../words';
import { stampOf, useVisible } from '../ui/hooks';
import { Button, CommandButtons, Empty, Notice, Waiting } from '../ui/parts';
import { useServices } from '../ui/services';
import { VirtualList } from '../ui/virtualList';
import { ExportRecords } from './exportRecords';
import { RecordDetail } from './recordDetail';
import { type Filter, Filters, filtersOf, NO_FILTER, queryOf } from './recordFilters';

const EVERY_MS = 3000;
const PAGE = 100;
/** Reads of one stamp. */
const READS = 2;
const NO_READS = { of: '', count: 0 };

/** `initial`: the filter at first, such as that of another view's button. */
export function Records(props: { view: EndpointView; initial?: Filter }): React.JSX.Element {
  const { view, initial = NO_FILTER } = props;
  const [filter, setFilter] = React.useState(initial);
  const { trans } = useServices();
  const [resets, setResets] = React.useState(0);
  const [opened, setOpened] = React.useState<RecordRow | null>(null);
  const root = React.useRef<HTMLDivElement>(null);
  // Answers that differ are found in the outputs of all records: only after new requests.
  const stamp = filter.differs ? stampOf(view) : null;
  const { pages, loading, problem, more, reload, setTop } = usePages(
    view.name,
    filter,
    root,
    stamp
  );
  const close = (): void => {
    setOpened(null);
    requestAnimationFrame(() =>
      root.current?.querySelector<HTMLElement>('[role=listbox]')?.focus()
    );
  };
  const filtered = JSON.stringify(filter) !== JSON.stringify(NO_FILTER);
  return (
    <div ref={root} className="nbd-Records" data-opened={opened !== null}>
      <div className="nbd-Records-list">
        <Filters key={resets} filter={filter} view={view} onFilter={setFilter} />
        {problem && (
          <Notice problem={problem}>
            <Button onClick={reload}>{trans.__('Refresh')}</Button>
          </Notice>
        )}
        {pages === null && !problem && <Waiting words={trans.__('Loading the records …')} />}
        {pages?.notes.map(note => (
          <p key={note} className="nbd-faint">
            {note} <CommandButtons text={note} />
          </p>
        ))}
        {pages?.rows.length === 0 && !filtered && (
          <Empty
            title={trans.__('No records yet')}
            text={
              view.record === 'off'
                ? trans.__('This endpoint records no requests (record: off).')
                : trans.__('Each request is listed here: send one with "Try it".')
            }
          />
        )}
        {pages?.rows.length === 0 && filtered && (
          <Empty title={trans.__('No match')} text={trans.__('No record matches the filters.')}>
            <Button
              onClick={() => {
                setFilter(NO_FILTER);
                setResets(resets + 1);
              }}
            >
              {trans.__('Show all')}
            </Button>
          </Empty>
        )}
        {pages !== null && pages.rows.length > 0 && (
          <>
            <p className="nbd-faint nbd-Records-count" aria-live="off">
              {trans
                ._n('%1 record', '%1 records', pages.total)
                .replace(String(pages.total), pages.total.toLocaleString())}
              {loading && ` · ${trans.__('loading …')}`}
            </p>
            <ExportRecords name={view.name} filters={filtersOf(filter)} />
            <VirtualList
              items={pages.rows}
              label={
                filter.differs === 'most'
                  ? trans.__('Records, largest difference first')
                  : trans.__('Records, newest first')
              }
              rowHeight={44}
              keyOf={keyOf}
              selected={opened?.key ?? null}
              row={one => <Row row={one} />}
              onOpen={setOpened}
              onEnd={more}
              onTop={setTop}
            />
          </>
        )}
      </div>
      {opened && <RecordDetail name={view.name} row={opened} key={opened.key} onClose={close} />}
    </div>
  );
}

function keyOf(row: RecordRow): string {
  return row.key;
}

function Row(props: { row: RecordRow }): React.JSX.Element {
  const { row } = props;
  const { trans } = useServices();
  return (
    <div className="nbd-Record" data-bad={row.status >= 400}>
      <span className="nbd-Record-time">{time(row.ts)}</span>
      <span className="nbd-Role" data-role={row.role}>
        {row.role}
      </span>
      <span className="nbd-Record-status">{row.status}</span>
      <span className="nbd-Record-latency">{milliseconds(row.latency_ms)}</span>
      <span className="nbd-Record-summary" title={`${short(row.release)} · ${row.request_id}`}>
        {row.rows > 1 && (
          <span className="nbd-Record-rows nbd-faint">{trans.__('%1 rows', row.rows)} </span>
        )}
        {row.difference !== null && (
          <span
            className="nbd-Record-rows"
            title={trans.__(
              'The largest difference of two numbers in the answers; of other values 1'
            )}
          >
            {trans.__('Δ %1', digits(row.difference))}{' '}
          </span>
        )}
        <span className="nbd-cut">{row.summary}</span>
        {row.answer && <span className="nbd-Record-answer nbd-cut"> → {row.answer}</span>}
      </span>
    </div>
  );
}

/**
 * The pages that were read; while the top is visible, new records are added before them every few
 * seconds; with a `stamp` twice after it has changed, since records are written after they are
 * counted.
 */
function usePages(
  name: string,
  filter: Filter,
  root: React.RefObject<HTMLElement>,
  stamp: string | null
): {
  pages: Pages | null;
  loading: boolean;
  problem: Problem | null;
  more: () => void;
  reload: () => void;
  setTop: (top: boolean) => void;
} {
  const services = useServices();
  const key = JSON.stringify([name, filter]);
  const [state, setState] = React.useState<{ key: string; pages: Pages | null }>({
    key,
    pages: null
  });
  const [failed, setFailed] = React.useState<{ problem: Problem; older: boolean } | null>(null);
  const [loading, setLoading] = React.useState(false);
  const [top, setTop] = React.useState(true);
  const [round, setRound] = React.useState(0);
  const doneRound = React.useRef(0);
  const visible = useVisible(root);
  const fetching = React.useRef(false);
  const latest = React.useRef(stamp);
  const reads = React.useRef(NO_READS);
  React.useEffect(() => {
    latest.current = stamp;
  });
  const { view } = services;

  const read = React.useCallback(
    async (before: string | null, signal?: AbortSignal) => {
      const request = { name, limit: PAGE, ...(before && { before }), ...queryOf(filter) };
      return view<RecordsView>('records', request, signal);
    },
    [name, filter, view]
  );
  const first = state.key !== key || state.pages === null;
  React.useEffect(() => {
    const now = first || round !== doneRound.current;
    if (!visible || !(now || top)) return undefined;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = async (): Promise<void> => {
      const of = `${key} ${String(latest.current)}`;
      try {
        const page = await read(null, stop.signal);
        if (stop.signal.aborted) return;
        reads.current = { of, count: reads.current.of === of ? reads.current.count + 1 : 1 };
        setState(before => ({
          key,
          // In an order by difference a new record may be anywhere.
          pages: withNewer(
            before.key === key && filter.differs !== 'most' ? (before.pages ?? NO_PAGES) : NO_PAGES,
            page
          )
        }));
        doneRound.current = round;
        setFailed(null);
      } catch (error) {
        if (stop.signal.aborted) return;
        reads.current = NO_READS;
        setFailed({ problem: problemOf(error), older: false });
      }
      if (first || top) timer = setTimeout(repeat, EVERY_MS);
    };
    const repeat = (): void => {
      const { of, count } = reads.current;
      const done = of === `${key} ${String(latest.current)}` && count >= READS;
      if (latest.current !== null && done) timer = setTimeout(repeat, EVERY_MS);
      else void poll();
    };
    if (now) void poll();
    else timer = setTimeout(repeat, EVERY_MS);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [key, first, top, visible, read, round, filter.differs]);

  const pages = state.key === key ? state.pages : null;
  const next = pages?.next ?? null;
  const more = React.useCallback(() => {
    if (next === null || fetching.current) return;
    fetching.current = true;
    setLoading(true);
    read(next)
      .then(
        page => {
          setState(before =>
            before.key === key && before.pages
              ? { key, pages: withOlder(before.pages, page) }
              : before
          );
          setFailed(null);
        },
        (error: unknown) => {
          setFailed({ problem: problemOf(error), older: true });
        }
      )
      .finally(() => {
        fetching.current = false;
        setLoading(false);
      });
  }, [next, key, read]);
  const older = failed?.older ?? false;
  /** Repeats a failed load at once, whatever the scroll position. */
  const reload = React.useCallback(() => {
    setFailed(null);
    if (older) more();
    else setRound(before => before + 1);
  }, [older, more]);
  return { pages, loading, problem: failed?.problem ?? null, more, reload, setTop };
}
