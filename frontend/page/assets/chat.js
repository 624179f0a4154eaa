import { el, number } from "./dom.js";

/** Builds the chat: one conversation, streamed, with what each answer cost. */
export async function openChat(section) {
  const models = el("select", { "aria-label": "Model" });
  const system = el("input", {
    type: "text",
    placeholder: "System message (optional)",
    "aria-label": "System message",
  });
  const messages = el("div", { id: "messages", "aria-live": "polite" });
  const text = el("textarea", {
    placeholder: "Ask something",
    "aria-label": "Your message",
    rows: "2",
  });
  const send = el("button", { type: "submit" }, "Send");
  const fresh = el("button", { type: "button" }, "New chat");
  const form = el("form", { id: "ask" }, text, send);
  section.append(el("div", { class: "choices" }, models, system, fresh), messages, form);
  const turns = [];
  let running;

  fresh.addEventListener("click", () => {
    running?.abort();
    turns.length = 0;
    messages.replaceChildren();
    text.focus();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running !== undefined) return running.abort();
    const content = text.value.trim();
    if (content === "") return;
    text.value = "";
    turns.push({ role: "user", content });
    messages.append(el("div", { class: "message user" }, content));
    running = new AbortController();
    send.textContent = "Stop";
    const answer = await ask({
      model: models.value,
      system: system.value,
      turns,
      messages,
      signal: running.signal,
    });
    if (answer === undefined) turns.pop();
    else turns.push({ role: "assistant", content: answer });
    running = undefined;
    send.textContent = "Send";
    text.focus();
  });

  const list = await (await fetch("/v1/models")).json();
  models.append(...list.data.map(({ id }) => el("option", { value: id }, id)));
}

/** Streams one answer into a new message; its text, or `undefined` where there is none to keep. */
async function ask({ model, system, turns, messages, signal }) {
  const shown = document.createTextNode("");
  const note = el("small");
  messages.append(el("div", { class: "message assistant" }, shown, note));
  const startMs = performance.now();
  const seen = {
    text: "",
    firstMs: undefined,
    usage: undefined,
    worker: undefined,
    prefill: undefined,
  };
  try {
    const response = await fetch("/v1/chat/completions", {
      method: "POST",
      signal,
      headers: { "content-type": "application/json", "x-pixii-debug": "1" },
      body: JSON.stringify({
        model,
        stream: true,
        stream_options: { include_usage: true },
        messages: [...(system === "" ? [] : [{ role: "system", content: system }]), ...turns],
      }),
    });
    if (!response.ok) throw new Error((await response.json()).error.message);
    seen.worker = response.headers.get("x-pixii-worker");
    seen.prefill = response.headers.get("x-pixii-prefill-worker");
    for await (const chunk of events(response.body)) {
      if (chunk.error !== undefined) throw new Error(chunk.error.message);
      const delta = chunk.choices[0]?.delta?.content ?? "";
      if (delta !== "") seen.firstMs ??= performance.now() - startMs;
      seen.text += delta;
      shown.data = seen.text;
      seen.usage = chunk.usage ?? seen.usage;
    }
    note.textContent = costWords(seen, performance.now() - startMs);
  } catch (error) {
    if (signal.aborted) note.textContent = "stopped";
    else {
      note.textContent = error.message;
      note.classList.add("bad");
    }
  }
  return seen.text === "" ? undefined : seen.text;
}

function costWords({ usage, firstMs, worker, prefill }, wholeMs) {
  const words = [];
  if (firstMs !== undefined) words.push(`first token after ${Math.round(firstMs)} ms`);
  if (usage) {
    const seconds = (wholeMs - (firstMs ?? 0)) / 1000;
    const cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
    words.push(`${usage.prompt_tokens} prompt tokens (${cached} cached)`);
    words.push(
      `${usage.completion_tokens} tokens at ${number(usage.completion_tokens / seconds)}/s`,
    );
  }
  if (prefill) words.push(`prompt computed by ${prefill}`);
  if (worker) words.push(`worker ${worker}`);
  return words.join(" · ");
}

/** The JSON of each event of a stream, until `[DONE]`. */
async function* events(body) {
  let rest = "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      if (!part.startsWith("data: ")) continue;
      const data = part.slice(6);
      if (data === "[DONE]") return;
      yield JSON.parse(data);
    }
  }
}
