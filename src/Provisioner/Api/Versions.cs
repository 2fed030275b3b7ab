using System.Globalization;
using Microsoft.Net.Http.Headers;
using Provisioner.Resources;

namespace Provisioner.Api;

/// <summary>A resource's version as HTTP says it (RFC 9110 §13): <c>ETag</c> when it is read, <c>If-Match</c> when it is changed.</summary>
internal static class Versions
{
    public static void Show(HttpContext context, IResource resource) => context.Response.Headers.ETag = Tag(resource.Metadata.ResourceVersion);

    /// <summary>Refuses a change that was made for another version than the stored one.</summary>
    /// <param name="stored">Null when there is none.</param>
    public static void Require(HttpContext context, IResource? stored)
    {
        if (context.Request.Headers.IfMatch is { Count: > 0 } match)
        {
            if (!EntityTagHeaderValue.TryParseList(match.OfType<string>().ToList(), out var wanted))
                throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake("the field is not well formed") { Path = "If-Match", Value = Reading.Shorten(match.ToString()), Expected = "the ETag the resource was read with, such as \"3\"" }]);
            if (stored is null || !wanted.Any(tag => tag.Tag == "*" || tag.Tag == Tag(stored.Metadata.ResourceVersion)))
            {
                throw new ChangeRefusedException(RefusalKind.Outdated, [new Mistake(stored is null ? "there is no such resource any more"
                    : $"{stored.Kind} {stored.Metadata.Name} was changed by somebody else: it is at version {stored.Metadata.ResourceVersion}")
                {
                    Path = "If-Match", Value = Reading.Shorten(match.ToString()), Expected = "the ETag it has now: read it again, and see what changed",
                }]);
            }
        }
        if (context.Request.Headers.IfNoneMatch is ["*"] && stored is not null)
            throw new ChangeRefusedException(RefusalKind.Outdated, [new Mistake($"{stored.Kind} {stored.Metadata.Name} is there already") { Path = "If-None-Match", Value = "*", Expected = "another name, or no such field to change it" }]);
    }

    private static string Tag(long version) => string.Create(CultureInfo.InvariantCulture, $"\"{version}\"");
}
