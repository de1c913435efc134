// Asks for what the page will want first, while its script is still on its way: who is signed in, and of the page of
// a session its trace. src/api/early.ts takes the answers. With a key in the address nobody is signed in yet.
if (!/[#&]key=/.test(location.hash)) {
  const session = /^\/sessions\/([^/]+)\/?$/.exec(location.pathname);
  // Read to its end: a body that nobody reads waits on its way.
  const whole = async (answer) => (answer.ok ? new Response(await answer.arrayBuffer()) : answer);
  const paths = ["/api/me", ...(session ? [`/api/sessions/${session[1]}`] : [])];
  window.voxgateEarly = new Map(
    paths.map((path) => {
      const answer = fetch(path, { credentials: "same-origin" }).then(whole);
      answer.catch(() => {}); // told to whom takes it
      return [path, answer];
    }),
  );
}
