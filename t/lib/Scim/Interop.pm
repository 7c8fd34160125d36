package Scim::Interop;

# Reads and runs the dialogues of t/interop; t/interop/README.md describes their format.
#
#     my $player = Scim::Interop->new(base => 'http://127.0.0.1:8080/scim/v2', token => $token, profile => 'default');
#     for my $case (Scim::Interop::read_file('t/interop/okta.txt')) { my @faults = $player->play($case); … }
#
# A fault is a sentence with file and line; a case without faults has passed.

use strict;
use warnings;
use Carp qw(croak);
use JSON::PP ();
use Time::HiRes ();

use Scim::Client;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $urn = 'urn:ietf:params:scim:';
my %name = (
    User => "${urn}schemas:core:2.0:User", Group => "${urn}schemas:core:2.0:Group",
    Enterprise => "${urn}schemas:extension:enterprise:2.0:User", PatchOp => "${urn}api:messages:2.0:PatchOp",
    Custom => 'urn:example:params:scim:schemas:extension:interop:2.0:User',
    ListResponse => "${urn}api:messages:2.0:ListResponse", Error => "${urn}api:messages:2.0:Error",
    unknown => '01930000-0000-7000-8000-00000000dead',
);

# --- reading

# The cases of a file in order: { title, rows, file, line, steps }. Dies at a line that it cannot parse.
sub read_file {
    my ($file) = @_;
    open my $f, '<', $file or croak "$file: $!";
    my (@cases, %default, $case, $step, $answer);
    my $fail = sub { croak "$file:$.: $_[0]" };
    while (my $line = <$f>) {
        $line =~ s/\s+\z//;
        next if $line eq '' || $line =~ /^#/;
        if ($line =~ /^== (?:\[(.*?)\] )?(.+)/) {
            push @cases, $case = { title => $2, rows => [split ' ', $1 // ''], file => $file, line => $., steps => [] };
            $step = undef;
        } elsif ($line =~ /^> ([\w-]+):\s*(.*)/) {
            ($step ? $step->{headers} : !$case ? \%default : $fail->('a header without a request'))->{ lc $1 } = $2;
        } elsif (!$case) {
            $fail->('a line before the first case');
        } elsif ($line =~ /^given (.+)/) {
            push @{ $case->{steps} }, _given($1, $file, $.) // $fail->("given what: $1");
            $step = undef;
        } elsif ($line =~ m{^(& )?(?:(\d+) x )?([A-Z]+) (\S.*)}) {
            $step = { together => !!$1, times => $2 // 1, method => $3, path => $4, headers => {%default}, at => "$file:$.",
                answers => {} };
            push @{ $case->{steps} }, $step;
            $answer = undef;
        } elsif ($line =~ /^(rfc )?-> (\d{3}(?:\|\d{3})*)\z/) {
            $step or $fail->('an answer without a request');
            $step->{answers}{ $1 ? 'rfc' : 'default' } = $answer = { status => [split /\|/, $2], checks => [] };
        } elsif ($line =~ /^ +(.+)/) {
            $step or $fail->('a body without a request');
            $answer ? push @{ $answer->{checks} }, _check($1, $.) // $fail->("not a check: $1")
                : ($step->{body} .= ($step->{body} ? "\n" : '') . $1);
        } else {
            $fail->("cannot parse: $line");
        }
    }
    for my $c (@cases) { $_->{answers}{default} || croak "$_->{at}: no answer is given" for @{ $c->{steps} } }
    return @cases;
}

sub _check {
    my ($text, $line) = @_;
    my ($what, $op, $rest) = $text =~ m{^(\S+) (=>|~|has|lacks|size|absent|number)(?: (.*))?\z} ? ($1, $2, $3)
        : $text =~ m{^(\S+) (.+)\z} ? ($1, $1 eq 'dialect' ? 'word' : 'is', $2) : return;
    return { what => $what, op => $op, arg => $rest, line => $line, text => $text };
}

# The request that creates a `given` resource, in the form of the RFC.
sub _given {
    my ($text, $file, $line) = @_;
    my ($path, $body);
    if ($text =~ /^(bare )?user (\w+)\z/) {
        my ($bare, $n) = ($1, $2);
        $path = '/Users';
        $body = { schemas => ['<User>'], userName => "$n.<run>\@example.com", active => JSON::PP::true };
        $body = { %$body, schemas => ['<User>', '<Enterprise>'], externalId => "x-$n-<run>", displayName => "\u$n Test",
            title => 'Tester', name => { givenName => "\u$n", familyName => 'Test' },
            emails => [{ value => "$n.<run>\@example.com", type => 'work', primary => JSON::PP::true }],
            '<Enterprise>' => { employeeNumber => '1', department => 'Works' } } if !$bare;
    } elsif ($text =~ /^group (\w+)(?: with (\w+(?:, \w+)*))?\z/) {
        my ($n, @members) = ($1, split /, /, $2 // '');
        $path = '/Groups';
        $body = { schemas => ['<Group>'], displayName => "$n <run>", externalId => "x-$n-<run>",
            @members ? (members => [map +{ value => "<$_>" }, @members]) : () };
    } else {
        return;
    }
    my ($n) = $text =~ /(?:user|group) (\w+)/;
    return { method => 'POST', path => $path, body => $json->encode($body), headers => {}, at => "$file:$line", times => 1,
        answers => { default => { status => [201], checks => [_check("/id => $n", $line)] } } };
}

# --- running

# base, token; profile 'default' or 'rfc'; dialect => 1 if the server sends $scim_dialect in X-Scim-Dialect
sub new {
    my ($class, %o) = @_;
    my ($scheme, $host, $port, $path) = $o{base} =~ m{^(https?)://([^/:]+)(?::(\d+))?(/.*?)?/*\z}
        or croak "not an http or https URL: $o{base}";
    $port //= $scheme eq 'https' ? 443 : 80;
    return bless { profile => 'default', %o, path => $path // '', clients => [], names => {}, run => 0,
        at => { host => $host, port => $port, tls => $scheme eq 'https' ? { SSL_hostname => $host } : undef },
        authority => $port == ($scheme eq 'https' ? 443 : 80) ? $host : "$host:$port" }, $class;
}

sub play {
    my ($self, $case) = @_;
    my $mode = $self->{profile};
    my @steps = @{ $case->{steps} };
    if ($mode ne 'default') {    # up to the last step with an answer for this profile
        pop @steps while @steps && !$steps[-1]{answers}{$mode};
        return if !@steps;
    }
    my $run = sprintf '%x%04x%03x', time % 0x1000000, $$ & 0xffff, ++$self->{run} & 0xfff;
    $self->{names} = { %name, run => $run, RUN => uc $run, base => $self->{base}, token => $self->{token} };
    $self->{made} = [];
    my @faults;
    while (!@faults && @steps) {
        my @batch = shift @steps;
        push @batch, shift @steps while @steps && $steps[0]{together};
        @faults = eval { $self->_batch(@batch) };
        push @faults, $@ if $@;
    }
    $self->_request(0, DELETE => $_) for reverse @{ $self->{made} };
    return @faults;
}

sub _substitute {
    my ($self, $text) = @_;
    $text =~ s{<([A-Za-z]\w*)>}{$self->{names}{$1} // die "<$1> is not defined\n"}ge;
    return $text;
}

# A line "N x TEXT" of a body stands for N copies of the text, in which <n> counts from 1.
sub _body {
    my ($self, $text) = @_;
    return if !defined $text;
    my @lines;
    for my $line (split /\n/, $text) {
        if ($line =~ /^(\d+) x (.*)/) {
            my ($times, $copy) = ($1, $2);
            push @lines, map { my $n = $_; $copy =~ s/<n>/$n/gr } 1 .. $times;
        } else {
            push @lines, $line;
        }
    }
    return $self->_substitute(join '', @lines);
}

# The decoded body of a step; names that are only known when the case runs have any value.
sub sample_body {
    my ($self, $step) = @_;
    my $text = $step->{body} // return;
    local $self->{names} = { %name, map { $_ => $name{$_} // "any-$_" } $text =~ /<([A-Za-z]\w*)>/g };
    return eval { $json->decode($self->_body($text)) } // ();
}

sub _send {
    my ($self, $slot, $method, $path, $headers, $body) = @_;
    my $client = $self->{clients}[$slot] //= Scim::Client->new(%{ $self->{at} });
    my %h = (host => $self->{authority}, authorization => "Bearer $self->{token}",
        defined $body ? ('content-type' => 'application/scim+json; charset=utf-8') : (), %{ $headers // {} });
    delete @h{ grep $h{$_} eq '', keys %h };
    $client->{error} = undef;
    $client->close if $client->{socket} && IO::Select->new($client->{socket})->can_read(0);
    $client->send($method, $self->{path} . $path, headers => \%h, token => undef, body => $body);
    return $client;
}

sub _request { my ($self, @how) = @_; return $self->_send(@how)->receive }

sub _batch {
    my ($self, @batch) = @_;
    my @faults;
    if (@batch == 1 && $batch[0]{times} > 1) {
        for my $n (1 .. $batch[0]{times}) {
            $self->{names}{n} = $n;
            push @faults, $self->_batch({ %{ $batch[0] }, times => 1 });
        }
        delete $self->{names}{n};
        return @faults;
    }
    my @sent;
    for my $slot (0 .. $#batch) {
        my $s = $batch[$slot];
        my %headers = map { $_ => $self->_substitute($s->{headers}{$_}) } keys %{ $s->{headers} };
        my $path = $self->_substitute($s->{path});
        push @sent, [$s, $path, $self->_send($slot, $s->{method}, $path, \%headers, $self->_body($s->{body}))];
    }
    for (@sent) {
        my ($s, $path, $client) = @$_;
        my $r = $client->receive;
        push @faults, $self->_judge($s, $path, $r);
    }
    return @faults;
}

# --- checks

sub _judge {
    my ($self, $s, $path, $r) = @_;
    if ($s->{method} eq 'POST' && $r->{status} == 201 && ref $r->{json} eq 'HASH' && defined $r->{json}{id}) {
        (my $collection = $path) =~ s/\?.*//;
        push @{ $self->{made} }, "$collection/$r->{json}{id}";
    }
    my $answer = $s->{answers}{ $self->{profile} } // $s->{answers}{default};
    my $seen = substr $r->{body} // '', 0, 600;
    my $sent = "$s->{at}: $s->{method} $path";
    return "$sent: no answer: " . ($r->{error} // '') if !$r->{status};
    return "$sent: answered $r->{status}, not @{ $answer->{status} }: $seen" if !grep $_ == $r->{status}, @{ $answer->{status} };
    my @faults = map "$sent: $_: $seen", _always($s, $r);
    for my $c (@{ $answer->{checks} }) {
        next if $r->{status} == 204 && $c->{what} =~ m{^/};
        my $wrong = eval { $self->_holds($c, $r) } // "$@";
        push @faults, "$s->{at} line $c->{line}: $c->{text}: $wrong\n  $seen" if $wrong;
    }
    return @faults;
}

# The faults that any response may have, whatever its checks are.
sub _always {
    my ($s, $r) = @_;
    my $j = $r->{json};
    return $r->{body} eq '' ? () : 'a 204 has a body' if $r->{status} == 204;
    return () if $s->{method} eq 'HEAD';
    return 'not JSON' if ref $j ne 'HASH';
    my @wrong;
    push @wrong, 'Content-Type is not JSON' if ($r->{headers}{'content-type'} // '') !~ m{^application/(?:scim\+)?json\b};
    my $schema = ref $j->{schemas} eq 'ARRAY' ? $j->{schemas}[0] // '' : '';
    push @wrong, '"schemas" is missing' if $schema eq '';
    if ($r->{status} >= 400) {
        push @wrong, '"schemas" is not that of an Error' if $schema ne $name{Error};
        push @wrong, '"status" is not the status as a string' if $r->{body} !~ /"status":\s*"$r->{status}"/;
        push @wrong, '"detail" is missing' if ($j->{detail} // '') eq '' || ref $j->{detail};
    } elsif ($schema eq $name{ListResponse}) {
        push @wrong, "\"$_\" is not a number" for grep $r->{body} !~ /"$_":\s*\d/, qw(totalResults itemsPerPage startIndex);
        return @wrong, '"Resources" is missing' if ref $j->{Resources} ne 'ARRAY';
        push @wrong, '"itemsPerPage" is not the number of resources' if @{ $j->{Resources} } != $j->{itemsPerPage};
        push @wrong, 'a resource has no "id" or no "schemas"' if grep !defined $_->{schemas}
            || !defined $_->{id} && $s->{path} =~ m{^/(?:Users|Groups)}, @{ $j->{Resources} };
    } elsif ($r->{status} == 201) {
        push @wrong, '"id" is missing' if !defined $j->{id};
        my $at = $r->{headers}{location} // '';
        push @wrong, 'Location is wrong' if $at !~ m{/\Q$j->{id}\E\z} || $at ne ($j->{meta}{location} // $at);
    }
    push @wrong, 'a password is returned' if $r->{body} =~ /"password"\s*:/ && $schema eq $name{User};
    return @wrong;
}

# The value at a JSON pointer, as a list of none or one.
sub _at {
    my ($at, $pointer) = @_;
    for my $key (split m{/}, $pointer =~ s{^/}{}r) {
        $key =~ s{~1}{/}g;
        $key =~ s{~0}{~}g;
        if (ref $at eq 'HASH' && exists $at->{$key}) { $at = $at->{$key} }
        elsif (ref $at eq 'ARRAY' && $key =~ /^\d+\z/ && $key < @$at) { $at = $at->[$key] }
        else { return }
    }
    return $at;
}

# Whether $have contains $want: all its members of objects, all its elements of arrays in any order, equal scalars.
sub _includes {
    my ($have, $want) = @_;
    if (ref $want eq 'HASH') {
        return ref $have eq 'HASH' && !grep !exists $have->{$_} || !_includes($have->{$_}, $want->{$_}), keys %$want;
    }
    if (ref $want eq 'ARRAY') {
        return 0 if ref $have ne 'ARRAY';
        for my $w (@$want) { return 0 if !grep _includes($_, $w), @$have }
        return 1;
    }
    return _equal($have, $want);
}

sub _equal { my ($have, $want) = @_; return $json->encode($have) eq $json->encode($want) }

# Empty if the check holds, otherwise the reason.
sub _holds {
    my ($self, $c, $r) = @_;
    my ($what, $op) = ($self->_substitute($c->{what}), $c->{op});
    my $arg = $op eq '=>' ? $c->{arg} : defined $c->{arg} ? $self->_substitute($c->{arg}) : undef;
    if ($op eq 'word') {
        my $said = $r->{headers}{'x-scim-dialect'};
        return '' if !$self->{dialect};
        return $arg eq 'none' ? (length($said // '') ? "it is $said" : '')
            : ($said // '') =~ /(?:^|[\s,])\Q$arg\E(?:$|[\s,:=*])/ ? '' : 'it is ' . ($said // 'empty');
    }
    my @found = $what eq 'body' ? $r->{body} : $what =~ m{^/} ? _at($r->{json}, $what)
        : $r->{headers}{ lc $what } // ();
    if ($op eq 'absent') {
        return @found && $json->encode($found[0]) !~ /^(?:null|\[\])\z/ ? 'it is not absent' : '';
    }
    if ($op eq 'lacks') {
        my $want = $json->decode($arg);
        return @found && grep(_includes($_, $want), ref $found[0] eq 'ARRAY' ? @{ $found[0] } : $found[0]) ? 'it contains it' : '';
    }
    return 'it is missing' if !@found;
    my $have = $found[0];
    if ($op eq '=>') {
        $self->{names}{ $self->_substitute($arg) } = $have;
        return ref $have ? 'it is not a string or number' : '';
    }
    return !ref $have && $have =~ /$arg/ ? '' : 'it does not match' if $op eq '~';
    return $json->encode($have) =~ /^-?\d/ ? '' : 'it is not a number' if $op eq 'number';
    return ref $have eq 'ARRAY' && @$have == $arg ? '' : 'it has ' . (ref $have eq 'ARRAY' ? @$have : 'none') if $op eq 'size';
    my $want = $json->decode($arg);
    return (ref $have eq 'ARRAY' && ref $want ne 'ARRAY' ? scalar grep(_includes($_, $want), @$have) : _includes($have, $want))
        ? '' : 'it does not contain it' if $op eq 'has';
    return _equal($have, $want) ? '' : 'it is ' . $json->encode($have);
}

1;
