/** Pages of records, newest first, as one list that grows at both ends. */
import type { RecordRow, RecordsView } from './generated';

/** The most rows that are kept: use the filter to find older ones. */
export const MOST_KEPT = 20_000;

export interface Pages {
  readonly rows: readonly RecordRow[];
  readonly total: number;
  /** The beginning of the next page; null: there is none. */
  readonly next: string | null;
  /** Records that are missing, in words. */
  readonly notes: readonly string[];
}

export const NO_PAGES: Pages = { rows: [], total: 0, next: null, notes: [] };

/** The page after the present rows. */
export function withOlder(pages: Pages, page: RecordsView): Pages {
  const known = new Set(pages.rows.map(row => row.key));
  const rows = [...pages.rows, ...page.records.filter(row => !known.has(row.key))];
  const next = rows.length >= MOST_KEPT ? null : page.next;
  return { rows, total: page.total, next, notes: page.notes };
}

/**
 * The newest page before the present rows. If they do not meet, since more than a page is new or
 * something was purged, only the newest page is valid.
 */
export function withNewer(pages: Pages, page: RecordsView): Pages {
  const first = pages.rows[0];
  const at = first ? page.records.findIndex(row => row.key === first.key) : -1;
  if (at < 0 || page.total < pages.total) {
    return { rows: page.records, total: page.total, next: page.next, notes: page.notes };
  }
  if (at === 0) return page.total === pages.total ? pages : { ...pages, total: page.total };
  const rows = [...page.records.slice(0, at), ...pages.rows];
  return {
    rows: rows.slice(0, MOST_KEPT),
    total: page.total,
    next: pages.next,
    notes: page.notes
  };
}
