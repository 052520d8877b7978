/**
 * Copies a text to the clipboard; false: the browser denies access, as over plain HTTP from another
 * host.
 */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
