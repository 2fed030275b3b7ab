namespace Provisioner.Lab.Show;

/// <summary>Where the demonstration writes: colours for terminals alone (https://no-color.org is kept), one line at a time.</summary>
internal sealed class Paper
{
    private const int Narrowest = 80;

    private readonly Lock gate = new();
    private readonly bool colours = !Console.IsOutputRedirected
        && Environment.GetEnvironmentVariable("NO_COLOR") is null or ""
        && Environment.GetEnvironmentVariable("TERM") is not "dumb";

    private int Width { get; } = Console.IsOutputRedirected ? 120 : Math.Max(Narrowest, Console.WindowWidth);

    /// <summary>A step of the demonstration itself.</summary>
    public void Step(string text) => Line(Bold($"== {text}"));

    public void Line(string text = "")
    {
        lock (gate)
            Console.WriteLine(text);
    }

    /// <summary>A step of a boot: when, who, from where, what, and below it why.</summary>
    public void Entry(TimeSpan since, string machine, string source, string what, string reason, bool bad)
    {
        // "  12.3 s  server-1  proxyDhcp  "
        var head = $"{since.TotalSeconds,6:F1} s  {machine}  {source,-9}  ";
        lock (gate)
        {
            var first = true;
            foreach (var line in Wrap(what, head.Length))
            {
                Console.WriteLine((first ? head : new string(' ', head.Length)) + (bad ? Red(line) : line));
                first = false;
            }
            foreach (var line in Wrap(reason, head.Length))
                Console.WriteLine(new string(' ', head.Length) + Dim(line));
        }
    }

    public string Bold(string text) => Styled("1", text);

    public string Dim(string text) => Styled("2", text);

    public string Red(string text) => Styled("31", text);

    public string Green(string text) => Styled("32", text);

    private string Styled(string code, string text) => colours ? $"\e[{code}m{text}\e[0m" : text;

    private IEnumerable<string> Wrap(string text, int indent)
    {
        var width = Math.Max(30, Width - indent);
        var line = "";
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line;
                line = word;
            }
            else
            {
                line = line.Length == 0 ? word : $"{line} {word}";
            }
        }
        if (line.Length > 0)
            yield return line;
    }
}
