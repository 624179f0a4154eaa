import assert from "node:assert/strict";
import ts from "typescript";
import {
  bannedFileNames,
  edges,
  fileStopLines,
  fileWarnLines,
  functionStopLines,
  guarded,
  impure,
  services,
} from "./tidy_rules.ts";

interface SourceFile {
  /** Path from the root, `/` separated. */
  readonly path: string;
  readonly member: string;
  readonly lines: number;
  /** The text without comments, and with strings emptied, lines kept. */
  readonly code: string;
  readonly tree: ts.SourceFile;
  readonly isTest: boolean;
}

const root = new URL("../", import.meta.url);

async function* walk(folder: string): AsyncIterable<string> {
  for await (const entry of Deno.readDir(new URL(folder, root))) {
    if (entry.name.startsWith(".") || entry.name === "node_modules" || entry.name === "data") {
      continue;
    }
    if (entry.isDirectory) yield* walk(`${folder}${entry.name}/`);
    else if (entry.name.endsWith(".ts")) yield folder + entry.name;
  }
}

/** Comments become spaces and literals lose their content, so that rules see code only. */
function codeOf(text: string, tree: ts.SourceFile): string {
  const chars = text.split("");
  const blank = (start: number, end: number) => {
    for (let i = start; i < end; i++) if (chars[i] !== "\n") chars[i] = " ";
  };
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) {
      blank(node.getStart(tree) + 1, node.getEnd() - 1);
    } else if (ts.isTemplateHead(node) || ts.isTemplateMiddle(node) || ts.isTemplateTail(node)) {
      blank(node.getStart(tree) + 1, node.getEnd() - (ts.isTemplateTail(node) ? 1 : 2));
    } else if (node.kind === ts.SyntaxKind.RegularExpressionLiteral) {
      blank(node.getStart(tree) + 1, node.getEnd() - 1);
    }
    for (const range of ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []) {
      blank(range.pos, range.end);
    }
    for (const range of ts.getTrailingCommentRanges(text, node.getEnd()) ?? []) {
      blank(range.pos, range.end);
    }
    node.forEachChild(visit);
  };
  visit(tree);
  for (const range of ts.getLeadingCommentRanges(text, tree.endOfFileToken.getFullStart()) ?? []) {
    blank(range.pos, range.end);
  }
  return chars.join("");
}

async function readSources(): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for (const member of Object.keys(edges)) {
    for await (const path of walk(`${member}/`)) {
      const text = await Deno.readTextFile(new URL(path, root));
      const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
      files.push({
        path,
        member,
        lines: text.split("\n").length - 1,
        code: codeOf(text, tree),
        tree,
        isTest: /(_test|_contract|testing|samples|_bench)\.ts$/.test(path) ||
          /\/(testing|testdata|golden)\//.test(path) || member === "tests",
      });
    }
  }
  return files;
}

const sources = await readSources();
const product = sources.filter((file) => !file.isTest);

function importsOf(file: SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (
      (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
      node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)
    ) found.push(node.moduleSpecifier.text);
    if (
      ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword &&
      ts.isStringLiteral(node.arguments[0])
    ) found.push(node.arguments[0].text);
    node.forEachChild(visit);
  };
  visit(file.tree);
  return found;
}

function mustBeEmpty(problems: readonly string[]): void {
  assert.deepEqual([...problems].sort(), []);
}

Deno.test("tidy: the tree holds the members of the house", () => {
  assert.ok(sources.length > 60, `only ${sources.length} files were read`);
  for (const member of Object.keys(edges)) {
    assert.ok(sources.some((file) => file.member === member), `${member} has no file`);
  }
});

Deno.test("tidy: members import along the edge table, by name, through exports", () => {
  const problems: string[] = [];
  for (const file of sources) {
    for (const target of importsOf(file)) {
      const named = /^@pixii\/([a-z]+)/.exec(target)?.[1];
      if (named !== undefined && named !== file.member && !edges[file.member].includes(named)) {
        problems.push(`${file.path} imports ${target}`);
      }
      if (/^(jsr|https?):/.test(target)) problems.push(`${file.path} imports ${target}`);
      if (target.startsWith(".")) {
        const to = new URL(target, new URL(file.path, root)).pathname.slice(root.pathname.length);
        const isData = to === "deno.json" || to === "models/catalog.json";
        if (to.split("/")[0] !== file.member && !isData) {
          problems.push(`${file.path} imports ${target}`);
        }
      }
    }
  }
  mustBeEmpty(problems);
});

Deno.test("tidy: clock, chance, ids, crypto, threads, FFI, sockets, env and console stay in their ports", () => {
  const problems: string[] = [];
  for (const file of product) {
    for (const rule of guarded) {
      if (rule.only.some((allowed) => allowed.test(file.path))) continue;
      file.code.split("\n").forEach((line, i) => {
        const hit = rule.what.exec(line);
        if (hit !== null) problems.push(`${file.path}:${i + 1} uses ${hit[0]}`);
      });
    }
  }
  mustBeEmpty(problems);
});

Deno.test("tidy: core folders are pure", () => {
  const problems: string[] = [];
  for (const file of product.filter((one) => /(^|\/)core\//.test(one.path))) {
    file.code.split("\n").forEach((line, i) => {
      const hit = impure.exec(line);
      if (hit !== null) problems.push(`${file.path}:${i + 1} has ${hit[0]}`);
    });
    for (const target of importsOf(file)) {
      if (target === "@pixii/runtime") problems.push(`${file.path} imports ${target}`);
    }
  }
  mustBeEmpty(problems);
});

Deno.test("tidy: files and functions keep their size", () => {
  const problems: string[] = [];
  for (const file of product) {
    if (file.lines > fileStopLines) problems.push(`${file.path} has ${file.lines} lines`);
    else if (file.lines > fileWarnLines) {
      console.log(`warning: ${file.path} has ${file.lines} lines`);
    }
    const visit = (node: ts.Node): void => {
      if (ts.isFunctionLike(node) && "body" in node && node.body !== undefined) {
        const from = file.tree.getLineAndCharacterOfPosition(node.getStart()).line;
        const to = file.tree.getLineAndCharacterOfPosition(node.getEnd()).line;
        if (to - from + 1 > functionStopLines) {
          problems.push(`${file.path}:${from + 1} has a function of ${to - from + 1} lines`);
        }
      }
      node.forEachChild(visit);
    };
    visit(file.tree);
  }
  mustBeEmpty(problems);
});

Deno.test("tidy: every export says what it is", () => {
  const problems: string[] = [];
  for (const file of product) {
    for (const node of file.tree.statements) {
      const exported = ts.canHaveModifiers(node) &&
        ts.getModifiers(node)?.some((one) => one.kind === ts.SyntaxKind.ExportKeyword);
      if (!exported) continue;
      const ranges = ts.getLeadingCommentRanges(file.tree.text, node.getFullStart()) ?? [];
      const documented = ranges.some((range) => file.tree.text.startsWith("/**", range.pos));
      const line = file.tree.getLineAndCharacterOfPosition(node.getStart()).line + 1;
      if (!documented) problems.push(`${file.path}:${line} is exported without a doc comment`);
    }
  }
  mustBeEmpty(problems);
});

Deno.test("tidy: no names that say nothing, no empty catch, no top-level let, no enums", () => {
  const problems: string[] = [];
  for (const file of sources) {
    const stem = file.path.split("/").at(-1)!.replace(/(_test)?\.ts$/, "");
    if (bannedFileNames.includes(stem)) problems.push(`${file.path} is named ${stem}`);
  }
  for (const file of product) {
    for (const node of file.tree.statements) {
      const isLet = ts.isVariableStatement(node) &&
        (node.declarationList.flags & ts.NodeFlags.Let) !== 0;
      if (isLet) problems.push(`${file.path} has a top-level let`);
      if (ts.isEnumDeclaration(node)) problems.push(`${file.path} has an enum`);
    }
    const visit = (node: ts.Node): void => {
      if (ts.isCatchClause(node) && node.block.statements.length === 0) {
        const line = file.tree.getLineAndCharacterOfPosition(node.getStart()).line + 1;
        const said = node.block.getFullText().includes("//");
        if (!said) problems.push(`${file.path}:${line} has an empty catch without a reason`);
      }
      node.forEachChild(visit);
    };
    visit(file.tree);
  }
  mustBeEmpty(problems);
});

Deno.test("tidy: every service has the skeleton, and a main of at most 60 lines", () => {
  const problems: string[] = [];
  for (const service of services) {
    for (const name of ["main.ts", "config.ts", "service.ts", "metrics.ts", "mod.ts"]) {
      const file = sources.find((one) => one.path === `${service}/${name}`);
      if (file === undefined) problems.push(`${service}/${name} is missing`);
      else if (name === "main.ts" && file.lines > 60) problems.push(`${file.path} is too long`);
    }
  }
  mustBeEmpty(problems);
});

Deno.test("tidy: tests assert something and wait for conditions, not for time", () => {
  const problems: string[] = [];
  for (const file of sources.filter((one) => one.path.endsWith("_test.ts"))) {
    if (!/\bassert\b|Contract\(/.test(file.code)) problems.push(`${file.path} asserts nothing`);
    if (/\bdelay\(/.test(file.code)) problems.push(`${file.path} sleeps`);
    if (/\.\.\/shared|\/shared\//.test(file.tree.text) && file.path !== "tests/tidy_test.ts") {
      problems.push(`${file.path} reads outside the repository`);
    }
  }
  mustBeEmpty(problems);
});
