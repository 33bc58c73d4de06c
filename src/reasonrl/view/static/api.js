// What is asked of the server: JSON by address, and streams of JSON.

export async function get(path, asked = {}) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(asked)) {
    if (value !== "" && value !== null && value !== undefined) words.set(name, value);
  }
  const answer = await fetch(`api/${path}${words.size ? `?${words}` : ""}`);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error ?? `the server answered ${answer.status}`);
  return body;
}

// Calls `take` with each message; returns the function that ends the stream.
export function stream(path, asked, take, ended = () => {}) {
  const source = new EventSource(`api/${path}?${new URLSearchParams(asked)}`);
  source.onmessage = (message) => take(JSON.parse(message.data));
  source.addEventListener("done", () => { source.close(); ended(); });
  return () => source.close();
}
