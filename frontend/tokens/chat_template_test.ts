import assert from "node:assert/strict";
import { ok } from "@pixii/wire";
import { ChatTemplate } from "./chat_template.ts";

const tokens = { bosToken: "<s>", eosToken: "</s>" };
const user = [{ role: "user", content: " hi " }];

function render(source: string, nowMs = 0): string {
  const result = new ChatTemplate(source, tokens).render(user, nowMs);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

Deno.test("render() gives templates the names they ask for", () => {
  assert.equal(
    render("{{ bos_token }}{{ messages[0].content | trim }}{{ eos_token }}"),
    "<s>hi</s>",
  );
  assert.equal(render("{% if add_generation_prompt %}go{% endif %}"), "go");
  assert.equal(render("{% for i in range(1, 7, 2) %}{{ i }},{% endfor %}"), "1,3,5,");
  assert.equal(render("{{ True }} {{ none is none }} {{ tools is defined }}"), "true true false");
  const at = Date.UTC(2024, 6, 5);
  assert.equal(render("{{ strftime_now('%d %b %Y') }}", at), "05 Jul 2024");
});

Deno.test("render() cuts white space around blocks as Hugging Face's settings do", () => {
  const source =
    "{% for message in messages %}\n  {% if true %}\n{{ message.role }}\n  {% endif %}\n{% endfor %}";
  assert.equal(render(source), "user\n");
});

Deno.test("render() passes on what a template refuses, as the client's fault", () => {
  const template = new ChatTemplate("{{ raise_exception('roles must alternate') }}", tokens);
  const result = template.render(user, 0);
  assert.ok(!result.ok);
  assert.equal(result.error.code, "invalid_request");
  assert.equal(result.error.param, "messages");
  assert.match(result.error.message, /refuses these messages: roles must alternate/);
});

Deno.test("render() says so where a template cannot be read or run", () => {
  const broken = new ChatTemplate("{% for %}", tokens).render(user, 0);
  assert.ok(!broken.ok);
  assert.match(broken.error.message, /cannot be read: .*use \/v1\/completions/);
  for (const source of ["{{ messages[0].content.nothing() }}", "{{ range(1000000) }}"]) {
    const result = new ChatTemplate(source, tokens).render(user, 0);
    assert.ok(!result.ok);
    assert.match(result.error.message, /cannot render these messages/);
  }
});

Deno.test("ChatTemplate.render() leaves nothing behind for the next render", () => {
  const source = "{% if seen is defined %}again{% else %}first{% endif %}{% set seen = 1 %}" +
    "{% set messages = [] %}{% macro say(word) %}{{ word }}{% endmacro %}{{ say(' hi') }}" +
    "{% if missing is defined %} found{% endif %}{% if tools %} tools{% endif %}";
  const template = new ChatTemplate(source, { bosToken: undefined, eosToken: undefined });
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(template.render([{ role: "user", content: "x" }], i), ok("first hi"));
  }
});
