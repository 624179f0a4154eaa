import assert from "node:assert/strict";
import { Template } from "@huggingface/jinja";
import fc from "fast-check";
import { CompiledTemplate } from "../core/template/compiled_template.ts";
import type { TemplateNode } from "../core/template/template_node.ts";
import { leave } from "../core/template/template_value.ts";
import type { ChatMessage } from "../core/vocabulary.ts";
import { ChatTemplate } from "./chat_template.ts";

/** Set by the package's own `render` as well. */
const constants = { true: true, false: false, none: null, True: true, False: false, None: null };
const names = {
  ...{ add_generation_prompt: true, bos_token: "<s>", eos_token: "</s>" },
};

function compile(source: string): CompiledTemplate | undefined {
  return CompiledTemplate.of(new Template(source).parsed as unknown as TemplateNode, {
    values: { ...constants, ...names },
    functions: { raise_exception: leave, range: leave },
  });
}

/** What the package makes of it; its message where it throws. */
function interpret(source: string, messages: readonly ChatMessage[]): string | Error {
  try {
    return new Template(source).render({ ...names, messages });
  } catch (error) {
    return error as Error;
  }
}

const chat: readonly ChatMessage[] = [
  { role: "system", content: "Be brief. " },
  { role: "user", content: " hi\n", name: "ann" },
  { role: "assistant", content: "a,b,,c" },
];

/** In the manner of the families of templates that models come with. */
const families = {
  chatml: `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}` +
    `{{ '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{% endif %}` +
    `{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}` +
    `{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`,
  trimmed:
    `{% set all = messages %}{% for message in all %}{% set content = '[' + message['role'] ` +
    `+ ']\\n' + message['content'] | trim + '</s>' %}{% if loop.index0 == 0 %}` +
    `{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{{ '[assistant]' }}`,
  alternating: `{{ bos_token }}{% if messages[0]['role'] == 'system' %}` +
    `{% set rest = messages[1:] %}{% set first = messages[0]['content'] %}{% else %}` +
    `{% set rest = messages %}{% set first = '' %}{% endif %}{% for message in rest %}` +
    `{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}` +
    `{{ raise_exception('roles must alternate') }}{% endif %}` +
    `{% if loop.index0 == 0 and first %}{{ first ~ '\\n\\n' }}{% endif %}` +
    `{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'].strip() + ' [/INST]' }}` +
    `{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}`,
  reasoning: `{%- set ns = namespace(last=messages|length - 1, open=true) %}` +
    `{%- for message in messages[::-1] %}{%- set at = messages|length - 1 - loop.index0 %}` +
    `{%- if ns.open and message.role == 'user' and not message.content.startswith('<tool>') %}` +
    `{%- set ns.open = false %}{%- set ns.last = at %}{%- endif %}{%- endfor %}` +
    `{%- for message in messages %}{%- if message.role == 'assistant' %}` +
    `{%- set content = message.content %}{%- if message.thoughts is defined and message.thoughts is not none %}` +
    `{%- set content = message.thoughts %}{%- elif '</think>' in content %}` +
    `{%- set content = content.split('</think>')[-1].lstrip() %}{%- endif %}` +
    `{{- 'A' ~ (loop.index0 > ns.last) ~ content }}{%- else %}` +
    `{{- message.role + ':' + message.content + (message.name or '') }}{%- endif %}{%- endfor %}`,
  filtered: `{% for m in messages if m.role != 'system' %}{{ loop.index }}/{{ loop.length }} ` +
    `{{ m.role | upper }} {{ m.name | default('nobody') }} {{ m.content | length }}` +
    `{{ '' if loop.last else ', ' }}{% endfor %}{% for x in [] %}{% else %}none{% endfor %}`,
} as const;

Deno.test("CompiledTemplate renders as the interpreter does, templates of every family", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom("", " ", "\n", "x</think> y", "<tool>", "</think></think>", "[INST]", "é😀"),
  );
  const message = fc.record({
    role: fc.constantFrom("user", "assistant", "system", "tool"),
    content: text,
    name: fc.option(fc.constantFrom("ann", ""), { nil: undefined }),
  }).map(({ name, ...rest }): ChatMessage => name === undefined ? rest : { ...rest, name });
  for (const [family, source] of Object.entries(families)) {
    const compiled = compile(source);
    assert.ok(compiled, `${family} is not compiled`);
    let rendered = 0;
    fc.assert(fc.property(fc.array(message, { minLength: 1, maxLength: 6 }), (messages) => {
      const text = compiled.render(messages);
      if (text === undefined) return;
      rendered += 1;
      assert.equal(text, interpret(source, messages), family);
    }));
    assert.ok(rendered > 10, `${family} was rendered ${rendered} times`);
  }
});

/** Small ones: what they print, or that they are left to the interpreter. */
const pieces = [
  ...["{{ 1 + 2 * 3 - 4 }}", "{{ 7 // 2 }}{{ 7 % 3 }}{{ -3 }}{{ - 0 }}", "{{ 1 < 2 }}{{ 2 >= 3 }}"],
  ...["{{ '1' == 1 }}{{ none == nothing }}{{ 'a' != 'b' }}", "{{ true == 1 }}", "{{ nothing }}|"],
  ...["{{ 'a' in 'cat' }}{{ 'a' in ['a'] }}{{ 2 not in [1, 2] }}", "{{ 'x' in nothing }}"],
  ...["{{ 'content' in messages[0] }}{{ 'name' in messages[0] }}", "{{ 'a' ~ 1 ~ true }}"],
  ...[
    "{{ 'a' + 1 }}{{ 'b' + true }}",
    "{{ ([1] + [2, 3]) | length }}",
    "{{ not [] }}{{ not 'x' }}",
  ],
  ...[
    "{{ '' or 'b' }}{{ 'a' and 'c' }}{{ 0 and 1 }}",
    "{{ 'y' if messages else 'n' }}{{ 'z' if [] }}",
  ],
  ...["{{ messages[-1].role }}{{ messages[99] }}{{ 'cat'[1] }}", "{{ messages[1:] | length }}"],
  ...[
    "{{ messages[:-1] | length }}{{ messages[nothing:1] | length }}",
    "{{ nothing.deeper.still }}|",
  ],
  ...["{{ messages[0].get('role') }}{{ messages[0].get('x', 'y') }}{{ messages[0].get('x') }}"],
  ...[
    "{{ 'A'.lower() }}{{ 'a'.upper() }}{{ ' a '.strip() }}|{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|",
  ],
  ...["{{ 'a,b,,c'.split(',') | last }}{{ 'a,b'.split(',')[0] }}", "{{ 'ab'.endswith('b') }}"],
  ...[
    "{{ 'x' | tojson }}{{ 'A' | lower }}{{ 'a' | string }}{{ [1, 2] | first }}{{ [3] | list | last }}",
  ],
  ...[
    "{{ 1 is number }}{{ 'a' is string }}{{ none is none }}{{ x is undefined }}{{ 1 is defined }}",
  ],
  ...[
    "{{ true is boolean }}{{ true is true }}{{ 1 is false }}{{ [] is iterable }}{{ 1 is integer }}",
  ],
  ...[
    "{{ messages[0] is mapping }}{{ messages is sequence }}{{ range is defined }}{{ 'a' is not none }}",
  ],
  ...["{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = i + 5 %}{{ x }}{% endfor %}{{ x }}"],
  ...[
    "{% for i in [1] %}{% for j in [2, 3] %}{{ i }}{{ j }}{{ loop.index }}{% endfor %}{{ loop.last }}{% endfor %}",
  ],
  ...[
    "{% for i in [1, 2] %}{{ loop.previtem }}-{{ loop.nextitem }};{{ loop.revindex }}{{ loop.revindex0 }}{% endfor %}",
  ],
  ...[
    "{% for i in [1, 2] if i > 1 %}{{ i }}{{ loop.first }}{% endfor %}{{ i }}",
    "{# nothing #}a{% if 0 %}b{% endif %}",
  ],
  ...[
    "{% for i in [1, 2] %}{% if i == 1 %}{% set y = 'seen' %}{% endif %}{{ y }}{% endfor %}|{{ y }}",
  ],
  ...[
    "{% set n = namespace(a=1) %}{% for i in [2, 3] %}{% set n.a = n.a + i %}{% endfor %}{{ n.a }}{{ n.b }}",
  ],
  ...[
    "{{ messages[0].role[0] }}{{ messages[0]['con' ~ 'tent'] }}{{ loop }}",
    "{{ true }}{{ none }}{{ 3 }}",
  ],
] as const;

/** What has to be left to the interpreter: it may throw, or prints what only it knows. */
const left = [
  ...[
    "{{ 1.5 }}",
    "{{ 1 / 2 }}",
    "{{ {'a': 1} }}",
    "{{ [1, 2] }}",
    "{{ messages[0] }}",
    "{{ 'a' * 2 }}",
  ],
  ...[
    "{{ none + 1 }}",
    "{{ nothing + 'a' }}",
    "{{ raise_exception('no') }}",
    "{{ messages[0].items() }}",
  ],
  ...["{% macro m(x) %}{{ x }}{% endmacro %}{{ m(1) }}", "{% for i in 'abc' %}{{ i }}{% endfor %}"],
  ...[
    "{{ 'a'.split('') }}",
    "{{ 'a' is odd }}",
    "{{ [] == [] }}",
    "{{ messages | map(attribute='role') }}",
  ],
  ...[
    "{% set a %}x{% endset %}{{ a }}",
    "{% set range = 1 %}{{ range }}",
    "{{ 'abc'[::-1] }}",
    "{{ [] | first }}",
  ],
  ...[
    "{% for a, b in messages[0].items() %}{{ a }}{% endfor %}",
    "{{ namespace }}",
    "{{ 'a'.nothing }}",
  ],
] as const;

Deno.test("CompiledTemplate prints each piece as the interpreter does", () => {
  for (const source of pieces) {
    const compiled = compile(source);
    assert.ok(compiled, `not compiled: ${source}`);
    assert.equal(compiled.render(chat), interpret(source, chat), source);
    assert.equal(compiled.render(chat), interpret(source, chat), `${source}, once more`);
  }
});

Deno.test("CompiledTemplate leaves to the interpreter what it does not know", () => {
  for (const source of left) {
    assert.equal(compile(source)?.render(chat), undefined, source);
  }
});

Deno.test("strip('\\n') takes line ends only, as Python does", () => {
  const tokens = { bosToken: undefined, eosToken: undefined };
  const template = new ChatTemplate(
    "{{ '\\n a \\n\\n'.strip('\\n') }}|{{ 'xxa'.lstrip('x') }}|{{ 'a..'.rstrip('.') }}",
    tokens,
  );
  assert.ok(template.isCompiled);
  assert.deepEqual(template.render(chat, 0), { ok: true, value: " a |a|a" });
});
