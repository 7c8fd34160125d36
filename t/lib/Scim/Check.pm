package Scim::Check;

# Checks that many tests share. Each is one ok() whose diagnostics list everything that is wrong.

use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();
use Test::More ();

our @EXPORT = qw(is_error is_user is_list conf_good conf_bad);

our $error_urn = 'urn:ietf:params:scim:api:messages:2.0:Error';
our $user_urn = 'urn:ietf:params:scim:schemas:core:2.0:User';
our $enterprise_urn = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

sub _judge {
    my ($r, $name, @wrong) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return Test::More::ok(!@wrong, $name)
        || Test::More::diag(join("\n", @wrong, $r->{error} // '', $r->{head} // '', $r->{body} // ''));
}

# Checks for a SCIM Error (RFC 7644 3.12) with this status, scimType ('' for none) and a detail that matches.
sub is_error {
    my ($r, $status, $type, $detail, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($json, @wrong) = ($r->{json});
    push @wrong, "status is $r->{status}, not $status" if $r->{status} != $status;
    push @wrong, 'Content-Type is ' . ($r->{headers}{'content-type'} // 'missing')
        if ($r->{headers}{'content-type'} // '') ne 'application/scim+json';
    push @wrong, "$_ in an error" for grep exists $r->{headers}{$_}, qw(etag location last-modified accept-ranges);
    return _judge($r, $name, @wrong, 'no JSON object') if ref $json ne 'HASH';
    # The id of the refusal is absent under scim_profile rfc; t/013-errors.t checks where it is.
    push @wrong, "errorId is $json->{errorId}" if ($json->{errorId} // 'none') !~ /^[a-z0-9]+(?:-[a-z0-9]+)*\z/;
    my $members = join ' ', grep $_ ne 'errorId', sort keys %$json;
    my $expected = $type eq '' ? 'detail schemas status' : 'detail schemas scimType status';
    push @wrong, "its members are: $members" if $members ne $expected;
    push @wrong, 'schemas' if ref $json->{schemas} ne 'ARRAY' || "@{ $json->{schemas} }" ne $error_urn;
    push @wrong, "the status in the body is not \"$status\"" if $r->{body} !~ /"status":"$status"/;
    push @wrong, "scimType is $json->{scimType}" if ($json->{scimType} // '') ne $type;
    push @wrong, "detail does not match $detail" if ($json->{detail} // '') !~ $detail;
    push @wrong, 'detail does not end in the request id' if ($json->{detail} // '') !~ / \(request [0-9a-f]{32}\)\z/;
    return _judge($r, $name, @wrong);
}

# Checks for one user with everything that a representation without projection has.
sub is_user {
    my ($r, $status, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($json, $h, @wrong) = ($r->{json}, $r->{headers});
    push @wrong, "status is $r->{status}, not $status" if $r->{status} != $status;
    return _judge($r, $name, @wrong, 'no JSON object') if ref $json ne 'HASH';
    push @wrong, 'Content-Type' if $h->{'content-type'} ne 'application/scim+json';
    my ($id, $meta) = ($json->{id} // '', $json->{meta} // {});
    my $time = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/;
    push @wrong, 'id' if $id !~ /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\z/;
    push @wrong, 'meta' if join(' ', sort keys %$meta) ne 'created lastModified location resourceType version';
    push @wrong, 'meta.resourceType' if ($meta->{resourceType} // '') ne 'User';
    push @wrong, 'meta.created' if ($meta->{created} // '') !~ $time;
    push @wrong, 'meta.lastModified' if ($meta->{lastModified} // '') !~ $time;
    push @wrong, 'meta.location' if ($meta->{location} // '') !~ m{^https?://[^/]+/.*/Users/\Q$id\E\z};
    for my $name ('Location', 'Content-Location') {
        push @wrong, "$name is not meta.location" if ($h->{ lc $name } // '') ne ($meta->{location} // '');
    }
    push @wrong, 'ETag is not meta.version' if ($h->{etag} // '') ne ($meta->{version} // '');
    push @wrong, 'meta.version' if ($meta->{version} // '') !~ m{^W/"[0-9]+"\z};
    push @wrong, 'schemas' if ref $json->{schemas} ne 'ARRAY' || $json->{schemas}[0] ne $user_urn;
    return _judge($r, $name, @wrong);
}

# Checks that a GET of $path returns a ListResponse with $items of $total resources; returns its JSON.
sub is_list {
    my ($client, $path, $total, $items, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = $client->request(GET => $path);
    my ($json, @wrong) = (ref $r->{json} eq 'HASH' ? $r->{json} : {});
    push @wrong, "status is $r->{status}" if $r->{status} != 200;
    push @wrong, 'Content-Type' if ($r->{headers}{'content-type'} // '') ne 'application/scim+json';
    push @wrong, 'members' if join(' ', sort keys %$json) ne 'Resources itemsPerPage schemas startIndex totalResults';
    push @wrong, 'schemas' if "@{ $json->{schemas} // [] }" ne 'urn:ietf:params:scim:api:messages:2.0:ListResponse';
    push @wrong, 'startIndex' if $r->{body} !~ /"startIndex":[1-9]/;
    push @wrong, "totalResults is not $total" if $r->{body} !~ /"totalResults":$total,/;
    push @wrong, "itemsPerPage is not $items" if $r->{body} !~ /"itemsPerPage":$items,/;
    push @wrong, 'it has ' . @{ $json->{Resources} } . " resources, not $items" if @{ $json->{Resources} // [] } != $items;
    push @wrong, "$_ in a list" for grep exists $r->{headers}{$_}, qw(etag location);
    $r->{body} = substr $r->{body}, 0, 1000;
    _judge($r, $name // "GET $path returns $items of $total resources", @wrong);
    return { Resources => [], %$json };
}

# Checks that `nginx -t` accepts a configuration (parts as in Scim->conf), or refuses it with a message that matches
# $pattern.
sub conf_good {
    my ($t, $name, %part) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($exit, $said) = _check($t, %part);
    return Test::More::ok($exit == 0 && $said !~ /\[(?:warn|error|alert|emerg)\]/, $name)
        || Test::More::diag($said);
}

sub conf_bad {
    my ($t, $name, $pattern, %part) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($exit, $said) = _check($t, %part);
    return Test::More::ok($exit == 1 && $said =~ /\[emerg\][^\n]*$pattern/, $name)
        || Test::More::diag("exit $exit, expected $pattern\n$said");
}

sub _check {
    my ($t, %part) = @_;
    $t->conf(undef, main => '', http => '', server => '', %part);
    return $t->check;
}

1;
