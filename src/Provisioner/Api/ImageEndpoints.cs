using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Provisioner.Boot;
using Provisioner.Images;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>Import of images and the check of their files.</summary>
internal static class ImageEndpoints
{
    public static void MapImages(this IEndpointRouteBuilder api)
    {
        api.MapPost("/images/{name}/import", ImportAsync);
        api.MapPost("/images/verify", (ImageStore store, CurrentState state, HttpContext context) =>
            VerifyAsync(store, state.Snapshot.Images.Values, context.RequestAborted));
        api.MapPost("/images/{name}/verify", (string name, ImageStore store, CurrentState state, HttpContext context) =>
            VerifyAsync(store, [(Image)ResourceEndpoints.Find(ResourceKind.Image, name, state.Snapshot)], context.RequestAborted));
    }

    /// <summary>Of an ISO image's bytes, as registered with IANA; anything else is a tar stream.</summary>
    public const string IsoMediaType = "application/vnd.efi.iso";

    private static async Task<IResult> ImportAsync(string name, HttpContext context, ImageImport import, DiscImport disc)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null;
        if (context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = null; // A directory on a slow disk is still being read.
        var isDisc = context.Request.ContentType?.Split(';')[0].Trim().Equals(IsoMediaType, StringComparison.OrdinalIgnoreCase) == true;
        var request = RequestOf(name, context.Request.Query, isDisc, out var announced, out var discRequest);
        var image = isDisc
            ? await disc.ImportAsync(context.Request.Body, request, discRequest, announced, Caller.Name(context), context.RequestAborted)
            : await import.ImportAsync(context.Request.Body, request, announced, Caller.Name(context), context.RequestAborted);
        return Json.Answer(ResourceWriter.ToJson(image), StatusCodes.Status201Created);
    }

    private static ImageRequest RequestOf(string name, IQueryCollection query, bool isDisc, out long? announced, out DiscRequest discRequest)
    {
        string[] known = ["architecture", "kernel", "initrd", "distribution", "version", "size", .. isDisc ? ["sha256", "url", "bootOnly", "installSource"] : Array.Empty<string>()];
        var mistakes = new List<Mistake>();
        if (Texts.Name(name, 63) is { } wrong)
            mistakes.Add(new Mistake($"'{Reading.Shorten(name)}' {wrong}") { Path = "name", Value = Reading.Shorten(name), Expected = Texts.NameExpected });
        CpuArchitecture? architecture = Read(query, "architecture", Values.CpuArchitecture, mistakes, out var read) ? read : null;
        discRequest = new DiscRequest
        {
            Sha256 = Read(query, "sha256", Values.Sha256, mistakes, out var sha256) ? sha256 : null,
            Url = Read(query, "url", Values.Url, mistakes, out var url) ? url : null,
            BootOnly = Read(query, "bootOnly", Values.Boolean, mistakes, out var bootOnly) && bootOnly,
            InstallSource = Read(query, "installSource", Values.InstallSource, mistakes, out var source) ? source : null,
        };
        foreach (var key in query.Keys.Where(k => !known.Contains(k)))
            mistakes.Add(new Mistake($"There is no parameter '{Reading.Shorten(key)}'") { Path = key, Expected = $"one of {string.Join(", ", known)}" });
        announced = long.TryParse(Single(query, "size"), NumberStyles.None, CultureInfo.InvariantCulture, out var bytes) ? bytes : null;
        if (mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Invalid, mistakes);
        return new ImageRequest(name)
        {
            Architecture = architecture,
            Kernel = Single(query, "kernel"),
            Initrd = [.. query["initrd"].OfType<string>().Where(v => v.Length > 0)],
            Distribution = Single(query, "distribution"),
            Version = Single(query, "version"),
        };
    }

    private static bool Read<T>(IQueryCollection query, string key, ValueKind<T> kind, List<Mistake> mistakes, out T value)
    {
        value = default!;
        if (Single(query, key) is not { } word)
            return false;
        var reading = new Reading();
        // As if in quotes: on is a word here, and not a boolean.
        if (kind.TryRead(new TextNode.Scalar(word, false, new TextPosition(1, 1)), key, reading, out value))
            return true;
        mistakes.AddRange(reading.Mistakes.Select(m => m.WithoutPlace()));
        return false;
    }

    private static string? Single(IQueryCollection query, string key) => query[key] is [{ Length: > 0 } value, ..] ? value : null;

    private static async Task<IResult> VerifyAsync(ImageStore store, IEnumerable<Image> images, CancellationToken cancellation)
    {
        var items = new List<JsonObject>();
        foreach (var image in images)
        {
            var verified = await ImageVerification.RunAsync(store, image, cancellation);
            items.Add(new JsonObject
            {
                ["image"] = verified.Image,
                ["files"] = verified.Files,
                ["bytes"] = verified.Bytes,
                ["differences"] = new JsonArray([.. verified.Differences.Select(d => (JsonNode)d)]),
            });
        }
        return Json.Answer(Json.List(items));
    }
}
