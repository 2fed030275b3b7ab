using System.Text;
using System.Text.RegularExpressions;

namespace Provisioner.Templates;

/// <summary>Why a template of the operator's is not used.</summary>
internal sealed record TemplateProblem(string File, int Line, string Message)
{
    public override string ToString() => $"{File}:{Line}: {Message}";
}

/// <summary>
/// The operator's templates: <c>DIR/NAME.hbs</c> stands in place of the built-in template NAME. Held to the same rules as those: every
/// value passes a quoting helper, and only values that the built-in one has are asked for.
/// </summary>
internal static partial class TemplateOverrides
{
    private const string Extension = ".hbs";
    private const int MaximumSize = 256 * 1024;

    /// <summary>What a template may hold between its braces.</summary>
    public static Regex Allowed { get; } = AllowedExpression();

    /// <summary>Reads a directory, which need not be there. A template with a problem is not among the good ones.</summary>
    public static IReadOnlyDictionary<string, string> Read(TemplateEngine engine, string directory, out IReadOnlyList<TemplateProblem> problems)
    {
        var good = new Dictionary<string, string>(StringComparer.Ordinal);
        var wrong = new List<TemplateProblem>();
        problems = wrong;
        if (!Directory.Exists(directory))
            return good;
        var known = TemplateEngine.BuiltIn.ToHashSet(StringComparer.Ordinal);
        foreach (var file in Directory.EnumerateFiles(directory, "*" + Extension, new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint, MaxRecursionDepth = 4 })
            .Order(StringComparer.Ordinal))
        {
            var name = Path.GetRelativePath(directory, file)[..^Extension.Length].Replace('\\', '/');
            try
            {
                if (!known.Contains(name))
                {
                    var nearest = Resources.Spelling.Nearest(name, known);
                    wrong.Add(new(file, 1, $"there is no template '{name}' to put it in place of{(nearest is null ? "" : $"; did you mean '{nearest}'?")}"));
                    continue;
                }
                if (new FileInfo(file).Length > MaximumSize)
                {
                    wrong.Add(new(file, 1, $"is larger than {MaximumSize / 1024} KiB"));
                    continue;
                }
                var source = File.ReadAllText(file, new UTF8Encoding(false, throwOnInvalidBytes: true));
                var found = Check(engine, name, source).Select(p => new TemplateProblem(file, p.Line, p.Message)).ToList();
                wrong.AddRange(found);
                if (found.Count == 0)
                    good[name] = source;
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or DecoderFallbackException)
            {
                wrong.Add(new(file, 1, $"cannot be read: {exception.Message}"));
            }
        }
        return good;
    }

    /// <summary>What is wrong with a text in place of that template, with its lines.</summary>
    public static IReadOnlyList<(int Line, string Message)> Check(TemplateEngine engine, string name, string source)
    {
        var wrong = new List<(int, string)>();
        var known = ValuesOf(TemplateEngine.Source(name));
        var open = new Stack<(string Word, int Line)>();
        foreach (Match expression in Expression().Matches(source))
        {
            var line = source.AsSpan(0, expression.Index).Count('\n') + 1;
            var text = expression.Groups["text"].Value;
            if (text.StartsWith('!'))
                continue;
            if (text.StartsWith('{') || !Allowed.IsMatch(text))
            {
                wrong.Add((line, $"'{{{{{text}}}}}' passes no quoting helper: a value is written {{{{HELPER value}}}}, HELPER being one of sh, ks, ks-package, yaml, yaml-block, json, ipxe, ipxe-text, grub, url-path, comment"));
                continue;
            }
            var words = text.Split(' ');
            if (words[0].StartsWith('#'))
                open.Push((words[0][1..], line));
            else if (words[0].StartsWith('/') && (!open.TryPop(out var opened) || opened.Word != words[0][1..]))
                wrong.Add((line, $"'{{{{{text}}}}}' closes what is not open"));
            if (words.Length > 1 && words[^1].Split('/')[^1] is var value && value is not ("this" or "..") && !known.Contains(value))
                wrong.Add((line, $"there is no value '{value}' here; there are {string.Join(", ", known.Order(StringComparer.Ordinal))}"));
        }
        foreach (var (word, line) in open)
            wrong.Add((line, $"'{{{{#{word}}}}}' is not closed"));
        if (wrong.Count == 0 && engine.WhyNotCompiled(source) is { } reason)
            wrong.Add((1, reason));
        return [.. wrong.OrderBy(w => w.Item1)];
    }

    private static HashSet<string> ValuesOf(string source)
    {
        var values = new HashSet<string>(StringComparer.Ordinal);
        foreach (Match expression in Expression().Matches(source))
        {
            var words = expression.Groups["text"].Value.Split(' ');
            if (words.Length > 1 && !words[0].StartsWith('!') && words[^1].Split('/')[^1] is var value && value is not ("this" or ".."))
                values.Add(value);
        }
        return values;
    }

    [GeneratedRegex(@"\{\{(?<text>[^}]*)\}\}", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Expression();

    [GeneratedRegex(@"\A(#each \S+|/each|#if \S+|/if|else|(ipxe|ipxe-text|grub|url-path|sh|ks|ks-package|comment|json|yaml|include) \S+|yaml-block [0-9]+ \S+)\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex AllowedExpression();
}
