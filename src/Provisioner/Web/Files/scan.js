// Reads a bar code with the camera, where the browser can (BarcodeDetector, https://wicg.github.io/shape-detection-api/).
const tooLong = 20000;

export const canScan = () => "BarcodeDetector" in window && !!navigator.mediaDevices?.getUserMedia;

// A label has several codes: of a MAC address, only what looks like one is taken.
const macIn = text => {
  const digits = text.replace(/[^0-9a-f]/gi, "");
  return digits.length === 12 ? digits.match(/../g).join(":").toLowerCase() : null;
};

export const scan = async (id, wantsMac) => {
  const video = document.getElementById(id);
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    return null;
  }
  try {
    video.srcObject = stream;
    video.hidden = false;
    await video.play();
    const detector = new BarcodeDetector();
    for (const end = Date.now() + tooLong; Date.now() < end;) {
      for (const { rawValue } of await detector.detect(video)) {
        const found = wantsMac ? macIn(rawValue) : rawValue.trim();
        if (found) {
          navigator.vibrate?.(50);
          return found;
        }
      }
      await new Promise(done => setTimeout(done, 150));
    }
    return null;
  } finally {
    stream.getTracks().forEach(track => track.stop());
    video.hidden = true;
  }
};
