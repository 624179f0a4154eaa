/** Messages of a chat: a system line to which SmolLM2 answers plain questions rightly, and the question. */
export function chat(question: string): { role: "system" | "user"; content: string }[] {
  return [
    { role: "system", content: "You are a helpful AI assistant." },
    { role: "user", content: question },
  ];
}
