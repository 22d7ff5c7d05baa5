// Takes the page again every five seconds and puts its main part in place of the old one.
(() => {
	const every = 5000;
	const state = document.getElementById("live");
	let lost = null;
	function say(ok) {
		lost = ok ? null : lost || new Date();
		state.className = ok ? "" : "lost";
		state.textContent = ok ? "live, " + new Date().toLocaleTimeString()
			: "no answer since " + lost.toLocaleTimeString();
	}
	async function take() {
		try {
			const stop = new AbortController();
			const timer = setTimeout(() => stop.abort(), every);
			const answer = await fetch(location.pathname, {cache: "no-store", signal: stop.signal});
			const text = await answer.text();
			clearTimeout(timer);
			// the style has another nonce than this page's: it is not needed again
			const page = new DOMParser().parseFromString(
				text.replace(/<style[^]*?<\/style>/, ""), "text/html");
			const fresh = page.querySelector("main"), old = document.querySelector("main");
			const about = page.querySelector(".about");
			if (answer.ok && fresh && page.querySelector("footer")) {
				old.replaceWith(document.adoptNode(fresh));
				document.querySelector(".about").replaceWith(document.adoptNode(about));
				say(true);
			} else {
				say(false);
			}
		} catch {
			say(false);
		}
	}
	function next() {
		setTimeout(async () => {
			if (!document.hidden)
				await take();
			next();
		}, every);
	}
	say(true);
	next();
})();
