#!/usr/bin/perl
# The shipped log_format tells of each request what it was about, whose it was and why it was refused, as JSON that
# parses; $scim_token_label and $scim_tenant are known early enough for limit_req.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cwd qw(abs_path);
use Test::More;
use Scim;
use Scim::Check;

my $user = $Scim::Check::user_urn;
my $format = abs_path("$FindBin::Bin/../conf-examples/log-format.conf");
my $t = Scim->new(http => <<"EOC", server => <<'EOS');
    scim_store main %%DIR%%/store;
    include $format;
    limit_req_zone \$scim_token_label zone=label:64k rate=1r/m;
    limit_req_zone \$scim_tenant zone=tenant:64k rate=1r/m;
EOC
    access_log %%DIR%%/scim.log scim;
    location /scim/v2/ { scim main; client_max_body_size 1k; }
    location /rfc/ { scim main; scim_profile rfc; }
    location /off/ { scim main; scim_auth off; scim_tenant acme; }
    location /denied/ { scim main; deny all; }
    location /by-label/ { scim main; limit_req zone=label; limit_req_status 429; }
    location /by-tenant/ { scim main; limit_req zone=tenant; limit_req_status 429; }
    location / { return 200 "$scim_operation$scim_tenant$scim_token_label$scim_detail."; }
EOS
my $token = $t->seed('acme', label => 'Okta "prod" ü');
my $other = $t->token('acme', label => 'entra');
my $foreign = $t->token($t->tenant('globex'), label => 'entra');
$t->start;
my $c = $t->client(token => $token);
my $base = '/scim/v2/Users';
my $lines = 0;

# The log's line of a request that has just been answered.
sub line {
    my $text;
    $t->wait_for(sub {
        open my $f, '<', "$t->{dir}/scim.log" or return;
        my @all = <$f>;
        $text = $all[$lines] if @all > $lines && $all[$lines] =~ /\n\z/;
    }) or return {};
    $lines++;
    return eval { $Scim::json->decode($text) } // do { diag "no JSON: $text"; {} };
}

# Sends a request; its line has these members, and no others than are known.
my %known = map { $_ => 1 } qw(time request_id client agent method uri status tenant token operation type id error detail
    dialect seconds);
sub logged {
    my ($name, $request, %expected) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = $c->request(@$request);
    my $line = line();
    %expected = (tenant => 'acme', token => 'Okta "prod" ü', operation => '', type => '', id => '', error => '', dialect => '',
        status => $r->{status}, method => $request->[0], %expected);
    my $detail = delete $expected{detail} // qr/^\z/;
    my @wrong = grep !exists $known{$_} || ref $line->{$_}, keys %$line;
    for (sort keys %expected) {
        my $got = $line->{$_} // '(missing)';
        utf8::encode($got);
        push @wrong, "$_: $got, not $expected{$_}" if $got ne $expected{$_};
    }
    push @wrong, 'detail: ' . ($line->{detail} // '') if ($line->{detail} // '') !~ $detail || $line->{detail} =~ /\(request/;
    push @wrong, 'request_id' if $r->{status} >= 400 && $r->{body} !~ /\(request $line->{request_id}\)/;
    push @wrong, 'seconds is no number' if ($line->{seconds} // '') !~ /^[0-9.]+\z/;
    ok !@wrong, $name or diag join "\n", @wrong;
    return $r;
}

my $bob = { schemas => [$user], userName => 'bob' };
my $r = $c->request(POST => $base, json => $bob);
my $id = $r->{json}{id};
my $line = line();
is "@$line{qw(operation type id status)}", "create User $id 201", 'create';
is_deeply [sort keys %$line], [sort keys %known], 'every member is there';
my @of = (type => 'User', id => $id);
logged get => [GET => "$base/$id"], operation => 'get', @of;
logged 'get by HEAD' => [HEAD => "$base/$id"], operation => 'get', @of;
logged 'not modified' => [GET => "$base/$id", headers => { 'If-None-Match' => '*' }], operation => 'get', @of, status => 304;
logged list => [GET => $base], operation => 'list', type => 'User';
logged 'a long read' => [GET => "$base?count=500"], operation => 'list', type => 'User';
logged replace => [PUT => "$base/$id", json => { %$bob, title => 'x' }], operation => 'replace', @of;
logged discovery => [GET => '/scim/v2/Schemas'], operation => 'discovery';
logged 'a bad filter' => [GET => "$base?filter=x"], operation => 'list', type => 'User', error => 'invalidFilter', detail => qr/filter/;
logged conflict => [POST => $base, json => $bob], operation => 'create', type => 'User', error => 'uniqueness',
    detail => qr/^userName "bob" is taken by the User \Q$id\E\z/;
logged 'stale version' => [PUT => "$base/$id", json => $bob, headers => { 'If-Match' => '"x"' }], operation => 'replace', @of,
    detail => qr/^If-Match is /;
logged 'no such user' => [GET => "$base/bob"], operation => 'get', type => 'User', id => 'bob', detail => qr/no User with the id "bob"/;
logged 'no such address' => [GET => '/scim/v2/users'], operation => 'unknown', detail => qr/did you mean/;
logged 'a method that is not' => [DELETE => $base], operation => 'list', type => 'User', detail => qr/DELETE is not possible here/;
logged 'a large body' => [POST => $base, body => 'x' x 2000], detail => qr/client_max_body_size/;
logged deny => [GET => '/denied/Users'], detail => qr/forbidden by nginx's own rules/;
logged 'no token' => [GET => $base, token => undef], tenant => '', token => '', detail => qr/no Authorization header/;
logged 'an unknown token' => [POST => $base, token => 'secret-x', json => $bob], tenant => '', token => '', detail => qr/unknown here/;
my $gone = $t->token('acme', label => 'gone');
is +($t->scimctl(qw(token revoke --tenant acme gone)))[0], 0, 'a token is revoked';
logged 'a revoked token' => [GET => $base, token => $gone], tenant => 'acme', token => 'gone',
    detail => qr/^the token "gone" was revoked at \S+; create a new one/;
logged 'without authentication' => [GET => '/off/Users'], operation => 'list', type => 'User', token => '';
logged 'a dialect refused' => [PUT => "/rfc/Users/$id", json => { %$bob, active => 'True' }], operation => 'replace', @of,
    error => 'invalidValue', detail => qr/"active" must be true or false/;

# What was accepted though it is not the RFC's form
$c->request(PUT => "$base/$id", json => { %$bob, active => 'True', emails => { value => 'a', primary => 'True' }, shoeSize => 9 });
$line = line();
is $line->{status}, 200, 'a body that is not in the RFC\'s form';
is join(',', sort split /,/, $line->{dialect}), 'single-value,string-boolean*2,unknown-attribute:shoeSize',
    'dialect names and counts what was rewritten';
unlike $line->{dialect}, qr/\b9\b|True/, 'and no values';
like $t->log, qr/\[info\].*accepted, though not in RFC 7644's form: \Q$line->{dialect}\E/, 'so does the error log';

logged delete => [DELETE => "$base/$id"], operation => 'delete', @of;
like $t->log, qr/\[error\].*scim: create answered with 409 uniqueness: userName "bob" is taken/, 'a refused write is in the error log at error';

# A client cannot forge a line of the log.
logged 'newline and quote' => [GET => "$base/%0A%22%7D%E2%80%AE"], operation => 'get', type => 'User', id => "\n\"}\xe2\x80\xae",
    detail => qr/there is no User with the id "\?"\}\?"/;
is $t->request(GET => '/elsewhere')->{body}, '.', 'elsewhere the variables are empty';
line();

# --- limits by token and by tenant

is join(' ', map $c->request(GET => '/by-label/Users', token => $_)->{status}, $token, $token, $other, $other, $token),
    '200 429 200 429 429', 'limit_req by $scim_token_label';
is join(' ', map $c->request(GET => '/by-tenant/Users', token => $_)->{status}, $token, $other, $foreign, $foreign),
    '200 429 200 429', 'limit_req by $scim_tenant';
is $c->request(GET => '/by-tenant/Users', token => 'stranger')->{status}, 401, 'a stranger has no tenant to exhaust';

$t->finish;
