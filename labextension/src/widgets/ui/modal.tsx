/**
 * A modal dialog in the page's top layer: no sidebar, output or scroll bar clips it. It is the
 * browser's own element, so JupyterLab and the panel in a notebook have the same one.
 */
import * as React from 'react';

export function Modal(props: {
  label: string;
  busy?: boolean;
  /** Called by Escape. */
  onClose: () => void;
  children: React.ReactNode;
}): React.JSX.Element {
  const { label, busy = false, onClose, children } = props;
  const dialog = React.useRef<HTMLDialogElement>(null);
  React.useLayoutEffect(() => {
    const element = dialog.current;
    if (!element) return undefined;
    element.style.setProperty('--nbd-top', `${String(topOf(element))}px`);
    element.showModal();
    element.focus({ preventScroll: true });
    return () => {
      element.close();
    };
  }, []);
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- Escape, wherever the focus is within
    <dialog
      ref={dialog}
      className="nbd-Dialog"
      aria-label={label}
      aria-busy={busy}
      tabIndex={-1}
      onCancel={event => {
        event.preventDefault();
        onClose();
      }}
      onKeyDown={event => {
        event.stopPropagation(); // JupyterLab's shortcuts are not for a dialog
        if (event.key !== 'Escape') return;
        event.preventDefault();
        onClose();
      }}
    >
      {children}
    </dialog>
  );
}

/**
 * The place of the control that opened the dialog. Where an output is a frame as high as the whole
 * notebook, the middle of the frame may be out of sight.
 */
function topOf(element: HTMLElement): number {
  const from = document.activeElement ?? element.parentElement;
  const at = from === document.body || !from ? 0 : from.getBoundingClientRect().top;
  return Math.max(16, Math.min(at - 120, window.innerHeight - 480));
}
