using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.Net.Http.Headers;
using Provisioner.Boot.Http;
using Provisioner.Events;
using Provisioner.Protocols.Est;
using Provisioner.Storage;

namespace Provisioner.Certificates.Est;

/// <summary>
/// Enrollment over Secure Transport (RFC 7030, with the clarifications of RFC 8951): hosts get their first certificate with a one-time
/// token, and each next one with the certificate they have.
/// </summary>
internal sealed class EstEndpoints(
    CurrentState state, CertificateAuthority authority, Issuer issuer, TokenGuard guard, BootJournal journal, StateWriter writer, TimeProvider time)
{
    /// <summary>Where RFC 7030 §3.2.2 wants it.</summary>
    private const string Root = "/.well-known/est";

    private static readonly string[] Unsupported = ["fullcmc", "serverkeygen"];

    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet($"{Root}/cacerts", (HttpContext context, EstEndpoints est) => est.CaCertificatesAsync(context));
        app.MapGet($"{Root}/csrattrs", (HttpContext context) => SendAsync(context, EstMediaTypes.CsrAttributes, CsrAttributes.Encode()));
        app.MapPost($"{Root}/simpleenroll", (HttpContext context, EstEndpoints est) => est.EnrolAsync(context));
        app.MapPost($"{Root}/simplereenroll", (HttpContext context, EstEndpoints est) => est.RenewAsync(context));
        foreach (var operation in Unsupported)
        {
            app.MapPost($"{Root}/{operation}", (HttpContext context) =>
                Refusal.SendAsync(context, StatusCodes.Status501NotImplemented, $"{operation} is not offered here: a host makes its own key and uses simpleenroll"));
        }
    }

    private async Task CaCertificatesAsync(HttpContext context)
    {
        var trusted = CertificateAuthority.Trusted(state.Snapshot);
        if (trusted.Count == 0)
            await PutOffAsync(context, authority.WhyNotIssuing(time.GetUtcNow()) ?? "there is no authority yet", TimeSpan.FromMinutes(1));
        else
            await SendAsync(context, EstMediaTypes.CaCertificates, CertsOnly.Encode(trusted.Select(der => (ReadOnlyMemory<byte>)der)));
    }

    private async Task EnrolAsync(HttpContext context)
    {
        if (Credentials(context.Request) is not var (installation, token))
        {
            context.Response.Headers.WWWAuthenticate = "Basic realm=\"the Installation's id and its one-time token\", charset=\"UTF-8\"";
            // Who sends no credentials wants to be asked for them, and the realm says which. No text beside it: BouncyCastle's client, which begins
            // like this each time, closes the answer unread and takes what is left of its body for a fault (HttpAuth and ESTResponse in 1.72).
            if (context.Request.Headers.Authorization.Count == 0)
            {
                context.Response.StatusCode = StatusCodes.Status401Unauthorized;
                context.Response.ContentLength = 0;
                return;
            }
            await Refusal.SendAsync(context, StatusCodes.Status401Unauthorized, "HTTP Basic is needed: the Installation's id and its one-time token");
            return;
        }
        // Before the body is looked at: whoever has no token gets no work done.
        if (!EnrolmentDecision.IsAuthentic(installation, token, state.Snapshot))
        {
            await RefuseTokenAsync(context, installation);
            return;
        }
        var host = state.Snapshot.FindInstallation(installation)?.Host;
        if (await ReadRequestAsync(context, host) is var (request, hash))
            await AnswerAsync(context, new CertificateQuestion.Enrol(installation, token, request, hash), host);
    }

    private async Task RenewAsync(HttpContext context)
    {
        if (PresentedCertificate.Of(context) is not { } present)
        {
            await Refusal.SendAsync(context, StatusCodes.Status403Forbidden, "a client certificate is needed: the one to renew");
            return;
        }
        var host = EnrolmentDecision.Recorded(present, state.Snapshot)?.Host;
        if (host is null)
        {
            // Whoever can make a certificate of his own gets no more than this.
            Record(context, EventOutcome.Refused, null, "Renewal refused", $"the client certificate '{Resources.Texts.OneLine(context.Connection.ClientCertificate!.Subject, 100)}' was not issued by this appliance");
            await Refusal.SendAsync(context, StatusCodes.Status403Forbidden, "the client certificate was not issued by this appliance");
            return;
        }
        if (await ReadRequestAsync(context, host) is var (request, hash))
            await AnswerAsync(context, new CertificateQuestion.Renew(present, request, hash), host);
    }

    private async Task AnswerAsync(HttpContext context, CertificateQuestion question, string? host)
    {
        var renews = question is CertificateQuestion.Renew;
        switch (await issuer.AskAsync(question, context.RequestAborted))
        {
            case EnrolmentOutcome.Issued issued:
                if (issued.Again)
                    Record(context, EventOutcome.Answered, host, $"Certificate {issued.Certificate.Serial} given again", "the same request came again: its answer had not arrived");
                else if (question.Request.CommonNames.Any(n => n != host) || question.Request.DnsNames.Any(n => n != host))
                    Record(context, EventOutcome.Answered, host, "The request asked for other names, which were not used", $"it named {Resources.Texts.OneLine(string.Join(", ", question.Request.CommonNames.Concat(question.Request.DnsNames)), 200)}");
                // RFC 7030 §4.2.3: the certificate, and what is needed to build its chain (nothing when the authority signed itself).
                var chain = state.Snapshot.Authorities.GetValueOrDefault(issued.Certificate.Authority) is { Chain: { IsEmpty: false } above } signedBy ? above.Prepend(signedBy.Der!) : [];
                await SendAsync(context, EstMediaTypes.CertsOnly, CertsOnly.Encode(chain.Prepend(issued.Certificate.Der).Select(der => (ReadOnlyMemory<byte>)der)));
                break;
            case EnrolmentOutcome.Refused refused:
                Record(context, EventOutcome.Refused, host, renews ? "Renewal refused" : "Enrolment refused", refused.Reason);
                if (renews && host is not null)
                    await KeepRefusalAsync(host, refused.Reason);
                await Refusal.SendAsync(context, refused.Cause switch
                {
                    RefusalCause.NotAuthenticated => StatusCodes.Status401Unauthorized,
                    RefusalCause.NotAllowed => StatusCodes.Status403Forbidden,
                    _ => StatusCodes.Status400BadRequest,
                }, refused.Reason);
                break;
            case EnrolmentOutcome.Unavailable unavailable:
                Record(context, EventOutcome.Failed, host, renews ? "Renewal put off" : "Enrolment put off", unavailable.Reason);
                await PutOffAsync(context, unavailable.Reason, unavailable.RetryAfter);
                break;
        }
    }

    /// <summary>So that a warning of the certificate's end can say why it was not renewed.</summary>
    private async Task KeepRefusalAsync(string host, string reason)
    {
        var report = new Hosts.HostReport { Host = host, At = time.GetUtcNow(), Succeeded = false, Message = $"refused: {reason}" };
        if (!state.Snapshot.Hosts.ContainsKey(host) || report.Repeats(state.Snapshot.HostReports.GetValueOrDefault(host)))
            return;
        try
        {
            await writer.NoteAsync(editor =>
            {
                if (editor.Snapshot.Hosts.ContainsKey(host))
                    editor.Put(report);
                return 0;
            }, CancellationToken.None);
        }
        catch (StoreException)
        {
            // The refusal stands without its record; what is wrong with the disk is told elsewhere.
        }
    }

    private async Task RefuseTokenAsync(HttpContext context, string installation)
    {
        var known = state.Snapshot.FindInstallation(installation);
        var verdict = guard.Wrong(context.Connection.RemoteIpAddress ?? IPAddress.None, known is null ? null : installation);
        var what = known is null ? "Enrolment refused: there is no such Installation" : "Enrolment refused: wrong token";
        if (verdict.Record)
            Record(context, EventOutcome.Refused, known?.Host, what, known is null ? "it was replaced by another, or never was" : $"the token is none of Installation {known.Id}");
        if (verdict.RetryAfter is { } wait)
        {
            context.Response.Headers.RetryAfter = Seconds(wait);
            await Refusal.SendAsync(context, StatusCodes.Status429TooManyRequests, "too many wrong tokens");
            return;
        }
        context.Response.Headers.WWWAuthenticate = "Basic realm=\"the Installation's id and its one-time token\", charset=\"UTF-8\"";
        await Refusal.SendAsync(context, StatusCodes.Status401Unauthorized, "the Installation or its token is wrong");
    }

    /// <summary>The request in the body, or null when it was refused and answered.</summary>
    private async Task<(CertificateSigningRequest Request, string Hash)?> ReadRequestAsync(HttpContext context, string? host)
    {
        var (status, reason) = (StatusCodes.Status400BadRequest, (string?)null);
        if (MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var type) && !type.MediaType.Equals(EstMediaTypes.CertificationRequest, StringComparison.OrdinalIgnoreCase))
            (status, reason) = (StatusCodes.Status415UnsupportedMediaType, $"the body is of type {Resources.Texts.OneLine(type.MediaType.Value, 60)}, {EstMediaTypes.CertificationRequest} is taken");
        else if (await ReadBodyAsync(context) is not { } body)
            (status, reason) = (StatusCodes.Status413PayloadTooLarge, $"the body has more than {EstMessage.MaximumLength} bytes");
        else if (EstMessage.TryDecode(body, out var der, out reason) && CertificateSigningRequest.TryParse(der, out var request, out reason))
            return (request, CertificateQuestion.HashOf(der));
        Record(context, EventOutcome.Refused, host, "Certificate request refused", reason!);
        await Refusal.SendAsync(context, status, reason!);
        return null;
    }

    private static async Task<byte[]?> ReadBodyAsync(HttpContext context)
    {
        var buffer = new byte[EstMessage.MaximumLength + 1];
        var length = await context.Request.Body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, context.RequestAborted);
        return length > EstMessage.MaximumLength ? null : buffer[..length];
    }

    // RFC 7617.
    private static (string Installation, string Token)? Credentials(HttpRequest request)
    {
        const string Scheme = "Basic ";
        if (request.Headers.Authorization is not [{ } header] || !header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) || header.Length > 1024)
            return null;
        var bytes = new byte[header.Length];
        if (!Convert.TryFromBase64String(header[Scheme.Length..].Trim(), bytes, out var length))
            return null;
        var text = Encoding.UTF8.GetString(bytes, 0, length);
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? null : (text[..colon], text[(colon + 1)..]);
    }

    private void Record(HttpContext context, EventOutcome outcome, string? host, string what, string reason) => journal.Record(new Event
    {
        At = time.GetUtcNow(),
        Source = EventSource.Est,
        Outcome = outcome,
        Host = host is not null && state.Snapshot.Hosts.ContainsKey(host) ? host : null,
        What = $"{what} (from {context.Connection.RemoteIpAddress})",
        Reason = reason,
    });

    private static async Task SendAsync(HttpContext context, string type, byte[] der)
    {
        var body = EstMessage.Encode(der);
        context.Response.ContentType = type;
        // RFC 8951 §2.1: the header says nothing any more, but clients of RFC 7030's letter look for it.
        context.Response.Headers["Content-Transfer-Encoding"] = "base64";
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    private static Task PutOffAsync(HttpContext context, string reason, TimeSpan wait)
    {
        context.Response.Headers.RetryAfter = Seconds(wait);
        return Refusal.SendAsync(context, StatusCodes.Status503ServiceUnavailable, reason);
    }

    private static string Seconds(TimeSpan wait) => ((int)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
}
