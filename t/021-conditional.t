#!/usr/bin/perl
# The ETag of a resource is its version (RFC 7644 3.14). If-None-Match on a read avoids sending a version that the client
# has; If-Match on a write refuses to overwrite a version that the client has not seen. Weak and strong tags are compared
# alike.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $user = $Scim::Check::user_urn;
my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => 'location /scim/v2/ { scim main; }');
my $c = $t->client(token => $t->seed('acme'));
$t->start;

my $base = '/scim/v2/Users';
my $r = $c->request(POST => $base, json => { schemas => [$user], userName => 'ada', title => 'a' });
is_user $r, 201, 'POST creates the user';
my ($path, $old) = ("$base/$r->{json}{id}", $r->{headers}{etag});
$r = $c->request(PUT => $path, json => { schemas => [$user], userName => 'ada', title => 'b' });
my $etag = $r->{headers}{etag};
isnt $etag, $old, 'PUT changes the ETag';
my ($opaque) = $etag =~ m{^W/(".*")$};

sub conditional { my ($method, $name, $value, %o) = @_; return $c->request($method => $path, headers => { $name => $value }, %o) }

# --- If-None-Match on a read

for my $has ($etag, $opaque, '*', "$old, $etag", "$etag, $old", "$old,$etag", "\"x\" , $opaque") {
    for my $method (qw(GET HEAD)) {
        my $r = conditional($method, 'If-None-Match', $has);
        is "$r->{status} '$r->{body}' $r->{headers}{etag}", "304 '' $etag",
            "[S-152] $method with If-None-Match: $has is answered with 304 and the ETag";
        ok !grep(exists $r->{headers}{$_}, qw(content-type content-length location)),
            "the 304 to $method with If-None-Match: $has has no Content-Type, Content-Length and Location";
    }
}
for my $lacks ($old, '"x"', "\"x\", $old", 'W/""', substr($opaque, 0, -2) . '9"') {
    is_user conditional('GET', 'If-None-Match', $lacks), 200,
        "GET with If-None-Match: $lacks is answered with 200 and the user";
}
is conditional('GET', 'If-None-Match', $etag)->{status}, 304,
    'GET with If-None-Match and the current ETag is answered with 304';
is $c->request(GET => "$path?attributes=title", headers => { 'If-None-Match' => $etag })->{status}, 304,
    'GET with "attributes" and If-None-Match with the current ETag is answered with 304';
is $c->request(GET => "$path?attributes=title")->{headers}{etag}, $etag,
    '[S-153] GET with "attributes" has the ETag of the whole resource';
is_error $c->request(GET => "$base/01930000-0000-7000-8000-000000000000", headers => { 'If-None-Match' => '*' }), 404, '',
    qr/there is no User/, 'GET of an unknown id with If-None-Match: * is refused with 404';
is $c->request(GET => $base, headers => { 'If-None-Match' => '*' })->{status}, 200,
    'GET of a list with If-None-Match: * is answered with 200';
is_user conditional('GET', 'If-Modified-Since', 'Sat, 01 Jan 2050 00:00:00 GMT'), 200, 'GET ignores If-Modified-Since';

# --- If-Match on a read (RFC 9110 13.1.1)

for my $method (qw(GET HEAD)) {
    for my $stale ($old, '"x"', "$old, \"x\"") {
        $r = conditional($method, 'If-Match', $stale);
        is "$r->{status} " . ($r->{headers}{etag} // 'no ETag'), '412 no ETag',
            "$method with the stale If-Match: $stale is refused with 412 and no ETag";
    }
    is conditional($method, 'If-Match', $_)->{status}, 200, "$method with If-Match: $_ is answered with 200"
        for $etag, $opaque, '*', "$old, $etag";
}
is_error conditional('GET', 'If-Match', $old), 412, '',
    qr/If-Match is .*, but the current ETag is \Q$etag\E; read the resource again/,
    'the 412 to GET names both versions';
is $c->request(GET => $path, headers => ['If-Match' => $old, 'If-None-Match' => $etag])->{status}, 412,
    'GET with a stale If-Match and a matching If-None-Match is refused with 412 (RFC 9110 13.2.2)';
is $c->request(GET => $path, headers => ['If-Match' => $etag, 'If-None-Match' => $etag])->{status}, 304,
    'GET with a matching If-Match and a matching If-None-Match is answered with 304';
is_error $c->request(GET => "$base/01930000-0000-7000-8000-000000000000", headers => { 'If-Match' => '"x"' }), 404, '',
    qr/there is no User/, 'GET of an unknown id with If-Match is refused with 404';
for my $case ([GET => $base], [GET => "$base?count=1000"], [GET => '/scim/v2/Schemas'], [POST => "$base/.search", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'] }],
    [POST => $base, json => { schemas => [$user], userName => 'conditional' }]) {
    my ($method, $at, @body) = @$case;
    is_error $c->request($method => $at, @body, headers => { 'If-Match' => $etag }), 412, '', qr/this endpoint has no ETag/,
        "$method $at with If-Match and an ETag is refused with 412";
    like $c->request($method => $at, @body, headers => { 'If-Match' => '*' })->{status}, qr/^20[01]$/,
        "$method $at with If-Match: * succeeds";
}

# --- malformed lists of tags

for my $name ('If-Match', 'If-None-Match') {
    for my $bad ('', ' ', ',', ' , ,', '"', '"x', 'W/"', 'W/', 'W/"x"y', '"x" "y"', "*, $etag", "$etag, *", '"x"*', "x\"") {
        my $why = $bad =~ /[^ ,]/ ? 'is malformed' : 'is empty';
        for my $case ([GET => $path], [PUT => $path, json => { schemas => [$user], userName => 'ada', title => 'lost' }], [DELETE => $path], [GET => $base]) {
            my ($method, $at, @body) = @$case;
            is_error $c->request($method => $at, @body, headers => { $name => $bad }), 400, '', qr/$name $why; expected \* or a list of ETags/,
                "$method $at with the malformed $name: $bad is refused with 400";
        }
    }
}
is conditional('GET', 'If-None-Match', ", $etag,,")->{status}, 304,
    'If-None-Match may have empty list elements (RFC 9110 5.6.1)';
is conditional('GET', 'If-None-Match', '"x,' . ($opaque =~ tr/"//dr) . ',y"')->{status}, 200,
    'a comma inside a tag of If-None-Match does not separate tags';
is $c->request(GET => $path)->{headers}{etag}, $etag, 'requests with malformed conditions do not change the user';

# --- If-Match on writes

sub put { my ($name, $value, $title) = @_;
    return conditional('PUT', $name, $value, json => { schemas => [$user], userName => 'ada', title => $title }) }

for my $stale ($old, '"x"', "$old, \"x\"") {
    is_error put('If-Match', $stale, 'lost'), 412, '',
        qr/If-Match is .*, but the current ETag is \Q$etag\E; read the resource again/,
        "[S-152] PUT with the stale If-Match: $stale is refused with 412";
    is_error conditional('DELETE', 'If-Match', $stale), 412, '', qr/If-Match is /,
        "[S-136 S-152] DELETE with the stale If-Match: $stale is refused with 412";
}
for my $has (qw(* etag opaque list)) {
    my $value = { '*' => '*', etag => $etag, opaque => $opaque, list => "$old, $etag" }->{$has};
    $r = put('If-Match', $value, "title $has");
    is_user $r, 200, "[S-152] PUT with If-Match: $value is answered with 200";
    is $r->{json}{title}, "title $has", "PUT with If-Match: $value changes the user";
    $etag = $r->{headers}{etag};
    ($opaque) = $etag =~ m{^W/(".*")$};
}
is_error put('If-None-Match', $_, 'lost'), 412, '', qr/If-None-Match is .*, and the version is/,
    "PUT with the matching If-None-Match: $_ is refused with 412"
    for '*', $etag;
$r = put('If-None-Match', $old, 'with another');
is_user $r, 200, 'PUT with If-None-Match and another ETag is answered with 200';
is $c->request(GET => $path)->{json}{title}, 'with another', 'refused PUTs do not change the user';
is put('If-Match', $etag, 'with another')->{status}, 412,
    'PUT with a stale If-Match is refused with 412 even if it would change nothing';
is_error $c->request(PUT => "$base/01930000-0000-7000-8000-000000000000", headers => { 'If-Match' => '*' },
    json => { schemas => [$user], userName => 'x' }), 404, '', qr/there is no User/,
        'PUT to an unknown id with If-Match: * is refused with 404';

# --- of several writers with the same version, one succeeds

$etag = $r->{headers}{etag};
my $token = $c->{token};
my @status = map $_->{status}, $t->concurrently(4, 16, sub {
    my ($i, $client) = @_;
    my $r = $client->request(PUT => $path, token => $token, headers => { 'If-Match' => $etag },
        json => { schemas => [$user], userName => 'ada', title => "writer $i" });
    return { status => $r->{status} };
});
is join(' ', sort @status), join(' ', 200, (412) x 15),
    'of 16 concurrent PUTs with the same If-Match one succeeds and 15 are refused with 412';

is conditional('DELETE', 'If-Match', $c->request(GET => $path)->{headers}{etag})->{status}, 204,
    'DELETE with the current ETag in If-Match is answered with 204';

$t->finish;
