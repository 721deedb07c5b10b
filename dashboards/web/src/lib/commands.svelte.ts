/** Joins key presses (keys.ts) to what the shown page does. A page registers its commands in an `$effect`. */
import { focusKind, Keys, type Command } from './keys';
import { prefs } from './prefs.svelte';

/** Returns false when it had nothing to do, so that an outer handler gets the command. */
export type Handler = () => boolean | void;
type Handlers = Partial<Record<Command, Handler>>;

const stack: Handlers[] = [];
const keys = new Keys();

/** Registers handlers until the returned function is called; the newest comes first. */
export function onCommands(handlers: Handlers): () => void {
  stack.unshift(handlers);
  return () => {
    const at = stack.indexOf(handlers);
    if (at >= 0) stack.splice(at, 1);
  };
}

export function listen(): () => void {
  const press = (event: KeyboardEvent) => {
    if (event.defaultPrevented) return;
    const command = keys.command(event, focusKind(event.target), prefs.keys, performance.now());
    if (!command) return;
    // An open dialog owns the keyboard; the browser closes it on Escape.
    if (document.querySelector('dialog[open]')) return;
    for (const handlers of [...stack]) {
      const act = handlers[command];
      if (act && act() !== false) {
        event.preventDefault();
        return;
      }
    }
  };
  addEventListener('keydown', press);
  return () => removeEventListener('keydown', press);
}
