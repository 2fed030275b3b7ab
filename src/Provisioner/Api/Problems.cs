using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Features;
using Provisioner.Resources;
using Provisioner.Storage;
using Provisioner.Templates;

namespace Provisioner.Api;

/// <summary>The one place where a refusal becomes an HTTP answer: problem details (RFC 9457) with all mistakes in <c>errors</c>.</summary>
internal static partial class Problems
{
    /// <summary>Turns what an endpoint throws into its answer. First in the pipeline.</summary>
    public static async Task AnswerAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The caller went away; there is nobody to answer.
        }
        catch (Exception exception) when (!context.Response.HasStarted)
        {
            var problem = Describe(exception);
            if (problem.Status >= 500)
                Log.RequestFailed(context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("Provisioner.Api"), context.Request.Method, context.Request.Path, exception);
            await DrainAsync(context);
            await problem.WriteAsync(context.Response);
        }
    }

    /// <summary>For what routing itself answers with an empty body: no such address, wrong method.</summary>
    public static async Task NameStatusAsync(HttpContext context, RequestDelegate next)
    {
        await next(context);
        if (context.Response is { HasStarted: false, StatusCode: 404 or 405 or 415 or 400 } response && response.ContentType is null)
        {
            await new Problem(response.StatusCode, response.StatusCode switch
            {
                404 => $"There is nothing at {context.Request.Path}.",
                405 => $"{context.Request.Method} is not for {context.Request.Path}.",
                415 => "The body has a type this address does not take.",
                _ => "The request is not well formed.",
            }, []).WriteAsync(response);
        }
    }

    /// <summary>A refusal that an endpoint gives itself.</summary>
    public static IResult Answer(int status, string detail) => Results.Text(new Problem(status, detail, []).ToJson().ToJsonString(Json.Options), Problem.ContentType, statusCode: status);

    private static Problem Describe(Exception exception) => exception switch
    {
        ChangeRefusedException refused => new(
            refused.Kind switch { RefusalKind.NotFound => 404, RefusalKind.Conflict => 409, RefusalKind.Outdated => 412, RefusalKind.Forbidden => 403, _ => 422 },
            refused.Mistakes.Count == 1 ? Sentence(refused.Mistakes[0]) : $"{refused.Mistakes.Count} mistakes; nothing was changed.",
            refused.Mistakes),
        TemplateException template => new(422, template.Message, []),
        // 507: nothing is wrong with the request, and it can be made again when there is room (RFC 4918 §11.5).
        StoreException { IsDiskFull: true } => new(507, $"The appliance's disk is full, so nothing can be changed; booting and answering go on. Make room: 'provisioner doctor' says where. ({exception.Message})", []),
        StoreException { IsReadOnly: true } => new(503, $"The appliance's disk is mounted read-only, so nothing can be changed; booting and answering go on. See 'dmesg' for why, and mount it for writing. ({exception.Message})", []),
        Backup.BackupException => new(503, $"No backup was made: {exception.Message}", []),
        StoreException or Certificates.Keys.KeyStoreException => new(503, exception.Message, []),
        Aws.NoAwsCredentialsException => new(409, exception.Message, []),
        Aws.AwsException or Clusters.ClusterAccessException or NetBox.NetBoxException => new(502, exception.Message, []),
        BadHttpRequestException { StatusCode: 413 } => new(413, "The body is larger than this address takes.", []),
        BadHttpRequestException bad => new(bad.StatusCode, bad.Message, []),
        _ => new(500, $"The service failed at this: {exception.Message} Its log has the details.", []),
    };

    private static string Sentence(Mistake mistake) => mistake.ToString();

    /// <summary>
    /// Reads what is left of a body before it is refused: a sender that finds the connection closed in the middle of its upload
    /// reports a broken pipe and never sees why.
    /// </summary>
    private static async Task DrainAsync(HttpContext context)
    {
        // Of those who come over the network not more than they may send at all.
        var isLocal = Caller.IsLocal(context);
        if (isLocal && context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        limit.CancelAfter(isLocal ? TimeSpan.FromSeconds(30) : TimeSpan.FromSeconds(5));
        try
        {
            var buffer = new byte[128 * 1024];
            while (await context.Request.Body.ReadAsync(buffer, limit.Token) > 0)
            {
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or InvalidOperationException)
        {
            // It stopped by itself.
        }
    }

    internal static partial class Log
    {
        [LoggerMessage(4001, LogLevel.Error, "{Method} {Path} failed")]
        public static partial void RequestFailed(ILogger logger, string method, string path, Exception exception);
    }
}

/// <summary>Problem details of RFC 9457, with the extension member <c>errors</c>.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Detail">A sentence for people.</param>
/// <param name="Mistakes">Each with its line, key, value and what would be right.</param>
internal sealed record Problem(int Status, string Detail, IReadOnlyList<Mistake> Mistakes)
{
    public const string ContentType = "application/problem+json";

    private string Title => Status switch
    {
        400 => "Bad request",
        401 => "Not signed in",
        403 => "Not allowed",
        404 => "Not found",
        405 => "Method not allowed",
        409 => "Conflict",
        412 => "Changed meanwhile",
        413 => "Too large",
        415 => "Unsupported media type",
        421 => "Misdirected",
        422 => "Refused",
        429 => "Too many requests",
        502 => "Bad gateway",
        503 => "Storage failed",
        507 => "Disk full",
        _ => "Failed",
    };

    public Task WriteAsync(HttpResponse response)
    {
        response.StatusCode = Status;
        response.ContentType = ContentType;
        return response.WriteAsync(ToJson().ToJsonString(Json.Options));
    }

    public JsonObject ToJson() => new()
    {
        ["type"] = "about:blank",
        ["title"] = Title,
        ["status"] = Status,
        ["detail"] = Detail,
        ["errors"] = new JsonArray([.. Mistakes.Select(ToJson)]),
    };

    private static JsonObject ToJson(Mistake mistake)
    {
        var json = new JsonObject();
        if (mistake.Document is { } document)
            json["document"] = document;
        if (mistake.Line is { } line)
            json["line"] = line;
        if (mistake.Column is { } column)
            json["column"] = column;
        if (mistake.Path is { } path)
            json["key"] = path;
        if (mistake.Value is { } value)
            json["value"] = value;
        json["message"] = mistake.Message;
        if (mistake.Expected is { } expected)
            json["expected"] = expected;
        return json;
    }
}
