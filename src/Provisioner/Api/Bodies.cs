using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Features;
using Provisioner.Resources;

namespace Provisioner.Api;

/// <summary>Reads request bodies: YAML, and JSON because that is YAML, too. Every mistake is named with its line.</summary>
internal static class Bodies
{
    /// <summary>The longest list of paths is shorter.</summary>
    private const int MaximumRequest = 2 * 1024 * 1024;

    /// <summary>A text of documents.</summary>
    public static Task<string> TextAsync(HttpContext context) => TextAsync(context, Caller.IsLocal(context) ? 4L * YamlText.MaximumLength : YamlText.MaximumLength);

    private static async Task<string> TextAsync(HttpContext context, long maximum)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = maximum;
        using var reader = new StreamReader(context.Request.Body, new UTF8Encoding(false, throwOnInvalidBytes: true), detectEncodingFromByteOrderMarks: false);
        try
        {
            return (await reader.ReadToEndAsync(context.RequestAborted)).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException)
        {
            throw new ChangeRefusedException(RefusalKind.Invalid, "The text is not UTF-8.");
        }
    }

    /// <summary>Reads one mapping of that shape; an empty body is an empty mapping.</summary>
    public static async Task<T> ReadAsync<T>(HttpContext context, Shape<T> shape)
    {
        // Of those who have not signed in, what the server takes by itself is enough.
        var text = await TextAsync(context, context.User.Identity?.IsAuthenticated == true || Caller.IsLocal(context) ? MaximumRequest : 16 * 1024);
        return Read(string.IsNullOrWhiteSpace(text) ? "{}" : text, shape);
    }

    /// <summary>Reads what a page's form holds by the same rules.</summary>
    public static T ReadForm<T>(JsonObject form, Shape<T> shape)
    {
        try
        {
            return Read(form.ToJsonString(Json.Options), shape);
        }
        catch (ChangeRefusedException refused)
        {
            throw new ChangeRefusedException(refused.Kind, [.. refused.Mistakes.Select(m => m.WithoutPlace())]);
        }
    }

    private static T Read<T>(string text, Shape<T> shape)
    {
        var reading = new Reading();
        var found = new List<T>();
        YamlText.Read(text, reading, node =>
        {
            if (shape.TryRead(node, "", reading, out var value))
                found.Add(value);
        });
        if (reading.Mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Invalid, reading.Mistakes);
        return found is [var one] ? one : throw new ChangeRefusedException(RefusalKind.Invalid, "The body is to be one mapping.");
    }
}
