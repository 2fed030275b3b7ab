using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Globalization;
using System.Text.Json.Nodes;
using HandlebarsDotNet;

namespace Provisioner.Templates;

/// <summary>A template could not be rendered: the message names the template and what is missing or unsafe.</summary>
public sealed class TemplateException : Exception
{
    public TemplateException(string template, string message, Exception? inner = null)
        : base($"template {template}: {message}", inner) => Template = template;

    /// <summary>Name of the template, such as <c>ipxe/install</c>.</summary>
    public string Template { get; }
}

/// <summary>Text that a template gave, to stand in another as it is.</summary>
internal sealed record Rendered(string Text);

/// <summary>
/// Renders the built-in templates. Strict: a missing value fails, nothing is escaped by default, and a template can do no I/O.
/// Every value passes a quoting helper made for its target (<see cref="Quoting"/>); tests check that each template does so.
/// </summary>
/// <remarks>Safe for concurrent use: a template is compiled once and is immutable from then on.</remarks>
public sealed class TemplateEngine
{
    /// <summary>The longest text a template may give, in characters. A boot script is a thousandth of it.</summary>
    public const int MaxOutput = 1 << 20;

    private const string ResourcePrefix = "templates/";
    private const string Extension = ".hbs";

    private readonly IHandlebars handlebars;
    private readonly ConcurrentDictionary<string, HandlebarsTemplate<object, object>> compiled = new(StringComparer.Ordinal);
    private volatile FrozenDictionary<string, HandlebarsTemplate<object, object>> overrides = FrozenDictionary<string, HandlebarsTemplate<object, object>>.Empty;

    public TemplateEngine()
    {
        handlebars = Handlebars.Create(new HandlebarsConfiguration
        {
            NoEscape = true,
            ThrowOnUnresolvedBindingExpression = true,
        });
        Register("ipxe", Quoting.IpxeToken);
        Register("ipxe-text", Quoting.IpxeText);
        Register("grub", Quoting.GrubWord);
        Register("url-path", Quoting.UrlPath);
        Register("sh", Quoting.ShellWord);
        Register("ks", Quoting.KickstartWord);
        Register("ks-package", Quoting.KickstartPackage);
        Register("comment", Quoting.Comment);
        RegisterTree("json", Quoting.Json);
        RegisterTree("yaml", Quoting.Yaml);
        handlebars.RegisterHelper("yaml-block", (writer, _, arguments) =>
        {
            if (arguments.Length != 2 || !int.TryParse(arguments[0]?.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var indent) || Tree(arguments[1]) is not { } tree)
                throw new QuotingException("'yaml-block' takes a number of columns and a value");
            // In pieces: one string of it would be among the large objects, which only a full collection frees.
            foreach (var piece in Quoting.YamlBlock(indent, tree).GetChunks())
                writer.WriteSafeString(piece.ToString());
        });
        // Text of another template, which quoted its own values. A plain value is refused: this is no way around the quotes.
        handlebars.RegisterHelper("include", (writer, _, arguments) =>
        {
            if (arguments.Length != 1 || arguments[0] is not Rendered rendered)
                throw new QuotingException("'include' takes what another template gave, and nothing else");
            writer.WriteSafeString(rendered.Text);
        });
    }

    /// <summary>Names of the built-in templates, such as <c>ipxe/install</c>.</summary>
    public static IEnumerable<string> BuiltIn =>
        from name in typeof(TemplateEngine).Assembly.GetManifestResourceNames()
        where name.StartsWith(ResourcePrefix, StringComparison.Ordinal)
        orderby name
        select name.Replace('\\', '/')[ResourcePrefix.Length..^Extension.Length];

    /// <summary>The text of a built-in template.</summary>
    /// <exception cref="TemplateException">There is none of that name.</exception>
    public static string Source(string name)
    {
        using var stream = typeof(TemplateEngine).Assembly.GetManifestResourceStream(ResourcePrefix + name + Extension)
            ?? throw new TemplateException(name, "there is no such template");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>Renders a template with the values by name: text, numbers, lists and nested dictionaries of these.</summary>
    /// <exception cref="TemplateException">A value is missing or cannot be written safely in its place, or the text is too long.</exception>
    public string Render(string name, IReadOnlyDictionary<string, object?> values)
    {
        try
        {
            if (overrides.TryGetValue(name, out var own))
            {
                try
                {
                    return Render(name, own, values);
                }
                catch (Exception e) when (OverrideFailed is not null)
                {
                    OverrideFailed(name, e.GetBaseException());
                }
            }
            var template = compiled.GetOrAdd(name, static (key, engine) => engine.Compile(Source(key)), handlebars);
            return Render(name, template, values);
        }
        catch (Exception e) when (e is not TemplateException)
        {
            throw new TemplateException(name, (e.GetBaseException() is QuotingException q ? q : e).Message, e);
        }
    }

    /// <summary>Told when an operator's template fails; the built-in one is then taken for that once. Without it, the failure goes on.</summary>
    internal Action<string, Exception>? OverrideFailed { get; set; }

    /// <summary>Whether a text of the operator's stands in place of the built-in one.</summary>
    internal bool IsOverridden(string name) => overrides.ContainsKey(name);

    /// <summary>Puts these texts in place of the built-in ones of their names, all at once; none brings the built-in ones back.</summary>
    internal void Override(IReadOnlyDictionary<string, string> sources) =>
        overrides = sources.ToFrozenDictionary(s => s.Key, s => handlebars.Compile(s.Value), StringComparer.Ordinal);

    /// <returns>Null when the text can be compiled.</returns>
    internal string? WhyNotCompiled(string source)
    {
        try
        {
            handlebars.Compile(source);
            return null;
        }
        catch (HandlebarsException e)
        {
            return e.Message;
        }
    }

    /// <summary>Renders a template as a part of another.</summary>
    /// <exception cref="TemplateException">As <see cref="Render(string, IReadOnlyDictionary{string, object?})"/>.</exception>
    internal Rendered Part(string name, IReadOnlyDictionary<string, object?> values) => new(Render(name, values).TrimEnd('\n'));

    private static string Render(string name, HandlebarsTemplate<object, object> template, IReadOnlyDictionary<string, object?> values)
    {
        var text = template(values);
        return text.Length <= MaxOutput
            ? text
            : throw new TemplateException(name, $"gave {text.Length} characters, {MaxOutput} are allowed");
    }

    private static JsonNode? Tree(object? value) => value switch
    {
        JsonNode node => node,
        string text => JsonValue.Create(text),
        bool truth => JsonValue.Create(truth),
        int number => JsonValue.Create(number),
        _ => null,
    };

    private void RegisterTree(string name, Func<JsonNode, string> quote) =>
        handlebars.RegisterHelper(name, (writer, _, arguments) =>
        {
            if (arguments.Length != 1 || Tree(arguments[0]) is not { } value)
                throw new QuotingException($"'{name}' takes one value, and there is none");
            writer.WriteSafeString(quote(value));
        });

    private void Register(string name, Func<string, string> quote) =>
        handlebars.RegisterHelper(name, (writer, _, arguments) =>
        {
            if (arguments.Length != 1 || arguments[0] is null or UndefinedBindingResult || arguments[0]?.ToString() is not { } value)
                throw new QuotingException($"'{name}' takes one value, and there is none");
            writer.WriteSafeString(quote(value));
        });
}
